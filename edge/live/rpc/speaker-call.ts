import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type PushSpeechRequest,
  type PushSpeechResponseSchema,
  type Speech,
  FinishReason as WireReason,
} from "../../../proto/gen/mouthpiece/live/v1/live_pb.js";
import { LiveError } from "../live-error.ts";
import type { LiveSession } from "../live-session.ts";
import type { Joined } from "../socket/join-session.ts";
import { SpeechWindow } from "../socket/speech-window.ts";
import type { FinishReason } from "../speech-events.ts";
import { EventQueue } from "./event-queue.ts";

type Response = MessageInitShape<typeof PushSpeechResponseSchema>;
type Event = NonNullable<Response["event"]>;

export interface SpeakerCallOptions {
  readonly joined: Joined;
  readonly requests: AsyncIterable<PushSpeechRequest>;
  /** Of the call: when it aborts, the caller is gone. */
  readonly signal: AbortSignal;
  /** Of what failed, for the caller. */
  readonly explain: (error: unknown) => string;
}

const REASONS: Record<FinishReason, WireReason> = {
  complete: WireReason.COMPLETE,
  interrupted: WireReason.INTERRUPTED,
  failed: WireReason.FAILED,
  ended: WireReason.ENDED,
};

/** A speaker who has come by RPC: takes in what he says, and tells what becomes of it. */
export class SpeakerCall {
  readonly #options: SpeakerCallOptions;
  readonly #session: LiveSession;
  readonly #window: SpeechWindow;
  readonly #queue = new EventQueue<Response>();
  /** Segments that were opened from here and are not over. */
  readonly #own = new Set<number>();
  /** The last segment that was opened from here, and its epoch while it has not been ended. */
  #segment = 0;
  #openEpoch: number | null = null;
  #saysNoMore = false;

  constructor(options: SpeakerCallOptions) {
    this.#options = options;
    this.#session = options.joined.known.session;
    this.#window = new SpeechWindow(() => this.#session.roomSamples);
  }

  /** What happens, until it is over. @throws ConnectError */
  async *run(): AsyncGenerator<Response> {
    const { joined, signal } = this.#options;
    const { known, tokenId } = joined;
    const gone = () => this.#queue.end();
    signal.addEventListener("abort", gone);
    const stopListening = this.#listen();
    // Whoever comes back takes the place that he has had.
    known.participants.get(tokenId)?.replaced();
    known.participants.set(tokenId, this);
    this.#greet();
    void this.#read();
    try {
      yield* this.#queue;
    } finally {
      this.#queue.end();
      signal.removeEventListener("abort", gone);
      stopListening();
      if (known.participants.get(tokenId) === this) known.participants.delete(tokenId);
    }
  }

  /** The same token has joined again. */
  replaced(): void {
    this.#queue.fail(new ConnectError("the same token has joined again", Code.Aborted));
  }

  async #read(): Promise<void> {
    try {
      for await (const { action } of this.#options.requests) {
        if (!this.#queue.isOpen) return;
        this.#session.keepGoing();
        if (action.case === "speech") this.#take(action.value);
        else if (action.case === "endSegment") this.#endSegment(action.value.epoch);
        else if (action.case === "interrupt") this.#session.interrupt();
      }
    } catch (error) {
      this.#queue.fail(ConnectError.from(error));
      return;
    }
    // Nobody says more: what is open is all of it.
    if (this.#openEpoch !== null) this.#endSegment(this.#openEpoch);
    this.#saysNoMore = true;
    this.#endWhenHeard();
  }

  /** @throws ConnectError */
  #take({ samples, epoch }: Speech): void {
    if (samples.length === 0 || samples.length % 2 !== 0) {
      throw new ConnectError(
        "speech has whole samples of 16 bits, and at least one",
        Code.InvalidArgument,
      );
    }
    // A copy, which is aligned.
    const speech = new Int16Array(samples.slice().buffer);
    this.#window.received(speech.length);
    try {
      const segment = this.#session.pushSpeech(speech, epoch);
      this.#openEpoch = epoch;
      if (segment === this.#segment) return;
      this.#segment = segment;
      this.#own.add(segment);
      this.#tell({ case: "segmentOpened", value: { segment } });
    } catch (error) {
      if (!(error instanceof LiveError)) throw ConnectError.from(error);
      const { code, message } = error;
      // What crosses with an interruption is nobody's mistake.
      if (code !== "old_epoch") this.#tell({ case: "speechRefused", value: { code, message } });
    }
  }

  #endSegment(epoch: number): void {
    this.#openEpoch = null;
    this.#session.endSpeech(epoch);
  }

  #greet(): void {
    const { session, lifetime } = this.#options.joined.known;
    this.#tell({
      case: "joined",
      value: {
        sessionId: session.id,
        avatarId: session.avatar.summary.id,
        epoch: session.epoch,
        timeMs: whole(session.timeMs),
        remainingMs: whole(lifetime.remainingMs),
        speechWindow: whole(this.#window.open()),
      },
    });
  }

  #listen(): () => void {
    return this.#session.listen({
      started: (segment, timestampMs) =>
        this.#tell({
          case: "playbackStarted",
          value: { segment, timestampMs: whole(timestampMs) },
        }),
      position: (segment, playedMs, timestampMs) =>
        this.#tell({
          case: "playbackPosition",
          value: { segment, playedMs: whole(playedMs), timestampMs: whole(timestampMs) },
        }),
      finished: (segment, playedMs, reason, error) => {
        const detail = error === null ? "" : this.#options.explain(error);
        const value = { segment, playedMs: whole(playedMs), reason: REASONS[reason], detail };
        this.#tell({ case: "playbackFinished", value });
        this.#own.delete(segment);
        this.#endWhenHeard();
      },
      interrupted: (segment, epoch) =>
        this.#tell({ case: "interrupted", value: { segment, epoch } }),
      frame: () => this.#widen(),
      ending: (reason, inMs) =>
        this.#tell({ case: "ending", value: { reason, inMs: whole(inMs) } }),
      ended: (reason) => {
        this.#tell({ case: "ended", value: { reason } });
        this.#queue.end();
      },
    });
  }

  #endWhenHeard(): void {
    if (this.#saysNoMore && this.#own.size === 0) this.#queue.end();
  }

  /** More may be sent when some has been heard. */
  #widen(): void {
    const samples = this.#saysNoMore ? null : this.#window.widen();
    if (samples !== null) this.#tell({ case: "speechWindow", value: { samples: whole(samples) } });
  }

  #tell(event: Event): void {
    this.#queue.push({ event });
  }
}

function whole(value: number): bigint {
  return BigInt(Math.round(value));
}
