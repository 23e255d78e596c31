import type { Clock } from "../../../avatar/clock.ts";
import type { Logger } from "../../../avatar/logger.ts";
import { LiveError } from "../live-error.ts";
import { type ClientMessage, MAX_BINARY_BYTES, parseClientMessage } from "./client-message.ts";
import { closeCodeOf, closeReason, describeError } from "./describe-error.ts";
import type { Joined } from "./join-session.ts";
import type { LiveSocket, SocketHandler } from "./live-socket.ts";
import { Outbox } from "./outbox.ts";
import { Participant } from "./participant.ts";
import type { ParticipantOptions } from "./participant-options.ts";
import { CLOSE_CODES } from "./server-message.ts";

/** Who has connected joins within this. */
const JOIN_LIMIT_MS = 10_000;
/** Whoever says nothing for so long, not even `ping`, is gone. */
const SILENCE_LIMIT_MS = 30_000;
/** Messages that cannot be understood; then the connection ends. */
const MAX_BAD_MESSAGES = 10;
/** What waits while the join is looked into: half a minute of speech, from whoever it may be. */
const MAX_EARLY_BYTES = 1024 * 1024;
/** What a message takes beside its content, about. */
const MESSAGE_BYTES = 64;

export interface LiveConnectionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly requestId: string;
  readonly join: (token: string) => Promise<Joined>;
  readonly participants: Omit<ParticipantOptions, "outbox" | "joined" | "offer" | "close">;
}

/** One WebSocket: reads what comes, joins the session, and says why when it closes. */
export class LiveConnection implements SocketHandler {
  readonly #options: LiveConnectionOptions;
  readonly #outbox: Outbox;
  /** `new`: nothing was said yet. */
  #state: "new" | "joining" | "joined" | "over" = "new";
  #participant: Participant | null = null;
  readonly #early: (string | ArrayBuffer)[] = [];
  #earlyBytes = 0;
  #heardMs: number;
  #badMessages = 0;
  #cancelWatch = () => {};

  constructor(socket: LiveSocket, options: LiveConnectionOptions) {
    this.#options = options;
    this.#outbox = new Outbox(socket);
    this.#heardMs = options.clock.now();
    this.#watchSilence();
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  message(data: string | ArrayBuffer): void {
    if (this.isOver) return;
    // Whoever waits to be let in gains no time by talking.
    if (this.#state !== "joining") this.#heardMs = this.#options.clock.now();
    if (typeof data !== "string" && data.byteLength > MAX_BINARY_BYTES) {
      const message = `a binary message has at most ${MAX_BINARY_BYTES} bytes`;
      this.#refuse(new LiveError("bad_message", message), CLOSE_CODES.tooLarge);
      return;
    }
    if (this.#state === "joining") {
      this.#keepEarly(data);
      return;
    }
    if (typeof data === "string") this.#text(data);
    else this.#binary(data);
  }

  /** Speech may follow the join at once. */
  #keepEarly(data: string | ArrayBuffer): void {
    const bytes = typeof data === "string" ? 2 * data.length : data.byteLength;
    this.#earlyBytes += bytes + MESSAGE_BYTES;
    if (this.#earlyBytes <= MAX_EARLY_BYTES) {
      this.#early.push(data);
      return;
    }
    const message = `before it has joined a connection sends ${MAX_EARLY_BYTES} bytes at most`;
    this.#refuse(new LiveError("bad_message", message), CLOSE_CODES.tooLarge);
  }

  closed(): void {
    this.#state = "over";
    this.#cancelWatch();
    this.#outbox.closed();
    this.#participant?.leave();
  }

  #text(text: string): void {
    const message = parseClientMessage(text);
    if ("wrong" in message) this.#bad(message.wrong);
    else if (message.type !== "join") {
      if (this.#participant) this.#participant.handle(message);
      else this.#bad("the first message is join");
    } else if (this.#participant) this.#bad("this connection has joined already");
    else {
      this.#state = "joining";
      void this.#join(message);
    }
  }

  #binary(data: ArrayBuffer): void {
    const wrong = this.#participant ? this.#participant.speech(data) : "the first message is join";
    if (wrong !== null) this.#bad(wrong);
  }

  async #join(offer: Extract<ClientMessage, { type: "join" }>): Promise<void> {
    const { join, participants } = this.#options;
    try {
      const joined = await join(offer.token);
      const close = (code: number, reason: string) => this.#close(code, reason);
      const participant = await Participant.join({
        ...participants,
        outbox: this.#outbox,
        joined,
        offer,
        close,
      });
      this.#participant = participant;
      // Closed while it joined.
      if (this.isOver) {
        participant.leave();
        return;
      }
      this.#state = "joined";
      for (const data of this.#early.splice(0)) this.message(data);
    } catch (error) {
      this.#refuse(error, closeCodeOf(error));
    }
  }

  #bad(message: string): void {
    this.#tell(new LiveError("bad_message", message));
    if (++this.#badMessages >= MAX_BAD_MESSAGES) {
      this.#close(CLOSE_CODES.badMessage, "too many messages that cannot be understood");
    }
  }

  /** Says what is wrong and closes. */
  #refuse(error: unknown, code: number): void {
    this.#tell(error);
    this.#close(code, describeError(error, this.#options).message);
  }

  #tell(error: unknown): void {
    this.#outbox.push(JSON.stringify(describeError(error, this.#options)));
  }

  #close(code: number, reason: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#cancelWatch();
    this.#participant?.leave();
    this.#outbox.close(code, closeReason(reason));
  }

  #watchSilence(): void {
    const { clock } = this.#options;
    const limitMs = this.#participant ? SILENCE_LIMIT_MS : JOIN_LIMIT_MS;
    const leftMs = this.#heardMs + limitMs - clock.now();
    if (leftMs <= 0) {
      this.#close(CLOSE_CODES.silent, `nothing was heard for ${limitMs / 1000} s`);
      return;
    }
    this.#cancelWatch = clock.after(leftMs, () => this.#watchSilence());
  }
}
