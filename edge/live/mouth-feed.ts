import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { Clock } from "../../avatar/clock.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import type { CoreClient, MouthRegion, SpeechCall } from "../core/core-client.ts";
import { mouthWeight } from "./mouth-weight.ts";
import type { SpeechSegment } from "./speech-segment.ts";

/** So many frames before they are due, the next ones are asked for. */
const AHEAD_FRAMES = 10;
/** Each window costs the core 15 encoder runs for its context; and its end is waited for by nobody. */
const WINDOW_FRAMES = 10;
/** The first window is smaller, so that its mouths are there sooner; so is one that is waited for. */
const SMALL_WINDOW_FRAMES = 5;
/** After that nobody wants the answer any more. */
const ANSWER_LIMIT_MS = 10_000;

export interface MouthFeedOptions {
  readonly core: CoreClient;
  readonly avatar: PublishedAvatar;
  readonly clock: Clock;
  readonly requestId: string;
  readonly segment: SpeechSegment;
  /** First frame of the segment to be shown. */
  readonly from: number;
  /** Position of the background's loop at frame 0 of the segment, which may lie before it began. */
  readonly start: number;
  /** Told from asking to the first mouth, once per window. */
  readonly onLatency: (ms: number) => void;
}

/**
 * The mouths of a segment from one frame on, for fixed positions of the
 * background, asked for a bounded time ahead. Windows that are silent are not
 * asked for at all.
 */
export class MouthFeed {
  readonly #options: MouthFeedOptions;
  readonly #leaving = new AbortController();
  /** By frame; null where no mouth is to be seen. At most AHEAD_FRAMES + WINDOW_FRAMES. */
  readonly #ready = new Map<number, MouthRegion | null>();
  #next: number;
  #error: unknown = null;

  constructor(options: MouthFeedOptions) {
    this.#options = options;
    this.#next = options.from;
  }

  /** Why there will be no more; null while nothing is wrong. */
  get error(): unknown {
    return this.#error;
  }

  has(frame: number): boolean {
    return this.#ready.has(frame);
  }

  /** The mouth of a frame that is there, which is not kept. */
  take(frame: number): MouthRegion | null {
    const mouth = this.#ready.get(frame) ?? null;
    this.#ready.delete(frame);
    return mouth;
  }

  /**
   * Asks for what will be due soon. Speech that comes as it is spoken decides one
   * frame after the other: they are asked for together as long as there is time.
   * @param shown the next frame to be shown
   * @param urgent frames before this one cannot wait for those behind them
   */
  pump(shown: number, urgent: number): void {
    const { segment, from } = this.#options;
    while (this.#next - shown < AHEAD_FRAMES) {
      const first = this.#next;
      const size = first === from ? SMALL_WINDOW_FRAMES : WINDOW_FRAMES;
      const frames = Math.min(size, segment.mouthFrames - first);
      if (frames <= 0) return;
      const mayGrow = !segment.isEnded && frames < SMALL_WINDOW_FRAMES;
      if (mayGrow && first >= urgent) return;
      this.#next += frames;
      if (this.#areSilent(first, frames)) {
        for (let frame = first; frame < first + frames; frame++) this.#keep(frame, null);
      } else {
        void this.#ask(first, frames);
      }
    }
  }

  /** Whether no mouth is to be seen in a frame. */
  isSilent(frame: number): boolean {
    return mouthWeight(this.#options.segment, frame, this.#options.from) === 0;
  }

  /** Nothing of it is wanted any more. */
  stop(): void {
    this.#leaving.abort();
    this.#ready.clear();
  }

  #areSilent(first: number, frames: number): boolean {
    for (let frame = first; frame < first + frames; frame++) {
      if (!this.isSilent(frame)) return false;
    }
    return true;
  }

  async #ask(first: number, frames: number): Promise<void> {
    const { core, clock, requestId, onLatency } = this.#options;
    const { signal } = this.#leaving;
    const askedMs = clock.now();
    const call = this.#call(first, frames);
    let isFirst = true;
    let expected = first;
    try {
      const options = { signal, requestId, deadlineMs: askedMs + ANSWER_LIMIT_MS };
      for await (const mouth of core.inferSpeech(call, options)) {
        if (signal.aborted) return;
        if (isFirst) onLatency(clock.now() - askedMs);
        isFirst = false;
        this.#keep(mouth.frame, mouth);
        expected = mouth.frame + 1;
      }
      if (expected < first + frames) throw new Error(`the core left frame ${expected} out`);
    } catch (error) {
      if (!signal.aborted) this.#error ??= error;
    }
  }

  #keep(frame: number, mouth: MouthRegion | null): void {
    this.#ready.set(frame, mouth);
  }

  #call(firstFrame: number, frames: number): SpeechCall {
    const { avatar, segment, start } = this.#options;
    const { id, version, frameCount } = avatar.summary;
    const window = segment.window(firstFrame, frames);
    const backgroundIndices = Array.from({ length: frames }, (_, n) =>
      backgroundIndex(start + firstFrame + n, frameCount),
    );
    const { samples, utteranceSamples } = window;
    const { start: startSample } = window;
    return {
      avatarId: id,
      version,
      samples,
      start: startSample,
      utteranceSamples,
      firstFrame,
      backgroundIndices,
    };
  }
}
