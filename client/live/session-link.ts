import type { BinaryHeader } from "../../edge/live/socket/binary-frame.ts";
import type { ServerMessage } from "../../edge/live/socket/server-message.ts";
import { type Closed, type Joined, LiveConnection } from "./live-connection.ts";
import { WayBackPlan } from "./way-back.ts";

/** Formats that can be shown and played, the best first. */
export interface Offer {
  readonly video: readonly string[];
  readonly audio: readonly string[];
}

export interface SessionLinkOptions {
  readonly url: URL;
  readonly token: string;
  readonly onJoined: (joined: Joined) => void;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onMedia: (header: BinaryHeader, body: Uint8Array<ArrayBuffer>) => void;
  /** The connection broke; another one is on its way. */
  readonly onLost: () => void;
  /** There is no way back. Called once, and nothing after it. */
  readonly onOver: (reason: string, message: string | null) => void;
}

/** A session's connections, one after the other. */
export class SessionLink {
  readonly #options: SessionLinkOptions;
  readonly #plan = new WayBackPlan({ resumeMs: RESUME_MS, random: Math.random });
  #offer: Offer;
  #connection: LiveConnection | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(offer: Offer, options: SessionLinkOptions) {
    this.#offer = offer;
    this.#options = options;
    globalThis.addEventListener("online", this.#online);
    this.#connect();
  }

  get roundTripMs(): number | null {
    return this.#connection?.roundTripMs ?? null;
  }

  /** Of the present connection. */
  get receivedBytes(): number {
    return this.#connection?.receivedBytes ?? 0;
  }

  send(message: object): void {
    this.#connection?.send(message);
  }

  sendBinary(message: Uint8Array<ArrayBuffer>): void {
    this.#connection?.sendBinary(message);
  }

  /** Joins again and offers something else. */
  offer(offer: Offer): void {
    if (this.#isOver) return;
    this.#offer = offer;
    // Without a leave: the new one takes the place of the old one.
    this.#connection?.abandon();
  }

  close(): void {
    if (this.#isOver) return;
    this.#end();
    this.#connection?.close();
    this.#connection = null;
  }

  #connect(): void {
    const { url, token, onJoined, onMessage, onMedia } = this.#options;
    this.#connection = new LiveConnection({
      url,
      token,
      ...this.#offer,
      onJoined: (joined) => {
        this.#plan.found();
        onJoined(joined);
      },
      onMessage,
      onMedia,
      onClosed: (closed) => this.#closed(closed),
    });
  }

  #closed(closed: Closed): void {
    this.#connection = null;
    if (this.#isOver) return;
    const next = this.#plan.closed(closed, performance.now());
    if (next.kind === "over") {
      this.#end();
      this.#options.onOver(next.reason, next.message);
      return;
    }
    this.#timer = setTimeout(() => this.#connect(), next.inMs);
    this.#options.onLost();
  }

  /** The network is there again, or is another one: what was open is dead. */
  readonly #online = () => {
    clearTimeout(this.#timer);
    if (this.#connection) this.#connection.abandon();
    else this.#connect();
  };

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    globalThis.removeEventListener("online", this.#online);
  }
}

/** As long as edges remember who has gone, unless they are told otherwise. */
const RESUME_MS = 30_000;
