import { EventEmitter } from "node:events";
import { LiveSpeaker, type SessionMessage } from "./live-agent/live-speaker.ts";

/**
 * An avatar for agents that are written for LiveKit Agents: what their session
 * calls an audio output, with a live session of ours behind it.
 *
 *     const avatar = await AvatarAudioOutput.join({ url, token: session.speakerToken });
 *     agentSession.output.audio = avatar as unknown as AudioOutput;
 *     await avatar.close();
 *
 * The package is not needed for it: shapes and names are those of `AudioOutput`
 * and `AudioFrame` in `@livekit/agents` 1.9. People see the avatar where the
 * session's viewer token is used, and hear it there, too.
 */

/** The session's rate. Agents bring their speech to the rate that their output names. */
const SAMPLE_RATE = 16_000;
/** Samples of one message: a second. */
const MAX_SAMPLES = SAMPLE_RATE;
const JOIN_LIMIT_MS = 15_000;
/** An interruption is answered in one round trip. */
const CLEAR_LIMIT_MS = 5000;

/** As `AudioFrame` of `@livekit/rtc-node`. */
export interface AudioFrame {
  readonly data: Int16Array;
  readonly sampleRate: number;
  readonly channels: number;
}

export interface PlaybackStartedEvent {
  /** Unix time in milliseconds. */
  readonly createdAt: number;
}

export interface PlaybackFinishedEvent {
  /** So much of it was played, in seconds. */
  readonly playbackPosition: number;
  /** Whether it ended before its end. */
  readonly interrupted: boolean;
}

export interface AvatarAudioOutputOptions {
  /** ws://... of the session. */
  readonly url: string;
  /** The session's `speakerToken`. */
  readonly token: string;
}

/** What the agent takes for one piece of speech: from its first frame to `flush` or `clearBuffer`. */
interface Segment {
  /** Counts from 1. */
  readonly id: number;
  readonly epoch: number;
  /** Those of the session's segments in which it is said and that are not over. */
  open: Set<number>;
  /** Whether the session has taken all of it in: it opens no more segments for it. */
  isTakenIn: boolean;
  hasStarted: boolean;
  isInterrupted: boolean;
  playedMs: number;
}

/** Emits `playbackStarted` and, exactly once per segment, `playbackFinished`. */
export class AvatarAudioOutput extends EventEmitter {
  static readonly EVENT_PLAYBACK_STARTED = "playbackStarted";
  static readonly EVENT_PLAYBACK_FINISHED = "playbackFinished";

  readonly sampleRate = SAMPLE_RATE;
  /** Speech that has been sent is played or interrupted, never held. */
  readonly canPause = false;
  readonly #speaker: LiveSpeaker;
  /** Not finished, in order. */
  #pending: Segment[] = [];
  #capturing: Segment | null = null;
  #captured = 0;
  #finished = 0;
  #last: PlaybackFinishedEvent = { playbackPosition: 0, interrupted: false };
  #progress = Promise.withResolvers<void>();
  /** Frames and ends in the order in which they were given. */
  #sending: Promise<unknown> = Promise.resolve();
  /** Kept when the interruption that is under way has been answered. */
  #cleared: PromiseWithResolvers<void> | null = null;
  /** Counts calls of `clearBuffer`. */
  #clears = 0;
  #isClosed = false;

  private constructor(options: AvatarAudioOutputOptions) {
    super();
    this.#speaker = new LiveSpeaker({ ...options, onMessage: (message) => this.#hear(message) });
    void this.#speaker.closed.then(() => {
      this.#isClosed = true;
      this.#cleared?.resolve();
      for (const segment of [...this.#pending]) this.#interrupt(segment, new Set());
    });
  }

  /** @throws Error when the session does not let it in */
  static async join(options: AvatarAudioOutputOptions): Promise<AvatarAudioOutput> {
    const output = new AvatarAudioOutput(options);
    await within(output.#speaker.joined, JOIN_LIMIT_MS, "the session was not joined");
    return output;
  }

  /**
   * Says a piece of speech, when the session has room for it.
   * @throws Error when the session is over, or the frame is of another kind
   */
  captureFrame(frame: AudioFrame): Promise<void> {
    const { data, sampleRate, channels } = frame;
    if (sampleRate !== SAMPLE_RATE || channels !== 1) {
      const given = `${channels} x ${sampleRate} Hz`;
      return Promise.reject(new Error(`a frame of ${given}: this output takes 1 x ${SAMPLE_RATE}`));
    }
    const clears = this.#clears;
    return this.#inTurn(async () => {
      await this.#cleared?.promise;
      // It was cleared while it waited for its turn.
      if (clears !== this.#clears) return;
      if (this.#isClosed) throw new Error("the avatar's session is over");
      const segment = this.#capturing ?? this.#begin();
      for (let at = 0; at < data.length && !segment.isInterrupted; at += MAX_SAMPLES) {
        await this.#speaker.push(data.subarray(at, at + MAX_SAMPLES), segment.epoch);
      }
    });
  }

  /** The segment is complete. */
  flush(): void {
    void this.#inTurn(async () => {
      const segment = this.#capturing;
      if (!segment) return;
      this.#capturing = null;
      this.#speaker.endSegment(segment.epoch);
      this.#speaker.ping(segment.id);
    });
  }

  /** Silences the avatar, now. */
  clearBuffer(): void {
    this.#clears++;
    this.#capturing = null;
    if (this.#pending.length === 0 || this.#isClosed) return;
    for (const segment of this.#pending) segment.isInterrupted = true;
    if (this.#cleared) return;
    const cleared = Promise.withResolvers<void>();
    this.#cleared = cleared;
    this.#speaker.interrupt();
    const late = setTimeout(() => cleared.resolve(), CLEAR_LIMIT_MS);
    void cleared.promise.then(() => {
      clearTimeout(late);
      this.#cleared = null;
    });
  }

  /** Waits until what was captured so far has been played. @returns how the last of it ended */
  async waitForPlayout(): Promise<PlaybackFinishedEvent> {
    // Frames that are still in turn belong to it.
    await this.#sending;
    const target = this.#captured;
    while (this.#finished < target) await this.#progress.promise;
    return this.#last;
  }

  /** Segments that are captured and not finished. */
  get pendingPlayoutSegments(): number {
    return this.#captured - this.#finished;
  }

  /** Segments that were ever captured: agents see by it whether a frame of theirs was taken. */
  get capturedPlayoutSegments(): number {
    return this.#captured;
  }

  /** What is being captured will have no end of its own: it is complete as it is. */
  abandonOpenSegment(): void {
    this.flush();
  }

  pause(): void {}

  resume(): void {}

  onAttached(): void {}

  onDetached(): void {}

  /** Leaves the session, which goes on. */
  async close(): Promise<void> {
    this.#speaker.leave();
    await this.#speaker.closed;
  }

  /** A failure is told to whoever waits for it, and holds up nothing behind it. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#sending.then(work);
    this.#sending = done.catch(() => {});
    return done;
  }

  #begin(): Segment {
    const segment: Segment = {
      id: ++this.#captured,
      epoch: this.#speaker.epoch,
      open: new Set(),
      isTakenIn: false,
      hasStarted: false,
      isInterrupted: false,
      playedMs: 0,
    };
    this.#capturing = segment;
    this.#pending.push(segment);
    return segment;
  }

  #hear({ type, segment: id, id: pingId, playedMs, reason, epoch }: SessionMessage): void {
    const known = this.#pending.find(({ open }) => id !== undefined && open.has(id));
    if (type === "segment_opened" && id !== undefined) {
      // Answers come in order. One that ran dry goes on in another segment of the session.
      this.#pending.find(({ isTakenIn }) => !isTakenIn)?.open.add(id);
    } else if (type === "pong") {
      const segment = this.#pending.find((each) => each.id === pingId);
      if (!segment) return;
      segment.isTakenIn = true;
      this.#settle(segment);
    } else if (type === "playback_started" && known && !known.hasStarted) {
      known.hasStarted = true;
      const event: PlaybackStartedEvent = { createdAt: Date.now() };
      this.emit(AvatarAudioOutput.EVENT_PLAYBACK_STARTED, event);
    } else if (type === "playback_finished" && known && id !== undefined) {
      known.open.delete(id);
      known.playedMs += playedMs ?? 0;
      if (reason !== "complete") known.isInterrupted = true;
      this.#settle(known);
    } else if (type === "interrupted") {
      // How far those were that have been opened, is told next; the others never will be.
      for (const each of [...this.#pending]) {
        if (each.epoch < (epoch ?? 0)) this.#interrupt(each, each.open);
      }
      this.#cleared?.resolve();
    }
  }

  /** @param open of its segments in the session, those of which something is still to be told */
  #interrupt(segment: Segment, open: Set<number>): void {
    segment.isInterrupted = true;
    segment.open = open;
    segment.isTakenIn = true;
    this.#settle(segment);
  }

  /** Finishes a segment of which nothing more will be heard. */
  #settle(segment: Segment): void {
    const { isInterrupted, isTakenIn, open, playedMs } = segment;
    if (!isTakenIn || open.size > 0 || !this.#pending.includes(segment)) return;
    this.#pending = this.#pending.filter((each) => each !== segment);
    this.#last = { playbackPosition: playedMs / 1000, interrupted: isInterrupted };
    this.#finished++;
    this.#progress.resolve();
    this.#progress = Promise.withResolvers();
    this.emit(AvatarAudioOutput.EVENT_PLAYBACK_FINISHED, this.#last);
  }
}

async function within<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what} within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
