/** A compressed frame, as it came from the edge. */
export interface CodedFrame {
  /**
   * 0-based within the utterance. Negative: not to be shown, but a video decoder
   * needs it, because the utterance begins between two key frames.
   */
  readonly number: number;
  /** When it is due, in milliseconds of the sound. */
  readonly timeMs: number;
  /** A JPEG image, or an H.264 access unit with start codes (annex B). */
  readonly data: Uint8Array<ArrayBuffer>;
  /** A decoder can begin with it. Images all are. */
  readonly isKeyFrame: boolean;
}

/** A frame of an utterance. */
export interface SpeechFrame extends CodedFrame {
  readonly backgroundIndex: number;
}

export interface FrameBufferLimits {
  /** Default 250: ten seconds. */
  readonly maxFrames?: number;
  /** Default 64 MiB. */
  readonly maxBytes?: number;
}

/**
 * Received frames that have not been played. When it is full the receiver waits
 * in `push`, the stream is not read, and the edge slows down.
 */
export class FrameBuffer<Frame extends CodedFrame = SpeechFrame> {
  readonly #limits: Required<FrameBufferLimits>;
  #frames: Frame[] = [];
  #bytes = 0;
  #received = 0;
  #lastTimeMs = -Infinity;
  #ended = false;
  #error: unknown = null;
  #wakeReceiver: (() => void) | null = null;

  constructor(limits: FrameBufferLimits = {}) {
    this.#limits = { maxFrames: 250, maxBytes: 64 * 1024 * 1024, ...limits };
  }

  /** Frames to be shown that have been received in total. */
  get received(): number {
    return this.#received;
  }

  /** Time of the newest frame in milliseconds, -Infinity before there is one. */
  get lastTimeMs(): number {
    return this.#lastTimeMs;
  }

  /** Frames held that are to be shown. */
  get length(): number {
    const first = this.#frames.findIndex(({ number }) => number >= 0);
    return first < 0 ? 0 : this.#frames.length - first;
  }

  get full(): boolean {
    return this.#frames.length >= this.#limits.maxFrames || this.#bytes >= this.#limits.maxBytes;
  }

  /** All has been received, or will never be. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Why receiving ended early; null when it did not. */
  get error(): unknown {
    return this.#error;
  }

  /** Adds a frame; resolves when there is room for another. Frames must come in order of time. */
  async push(frame: Frame): Promise<void> {
    if (frame.timeMs <= this.#lastTimeMs) return;
    this.#frames.push(frame);
    this.#bytes += frame.data.length;
    if (frame.number >= 0) this.#received++;
    this.#lastTimeMs = frame.timeMs;
    while (this.full && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeReceiver = resolve;
      });
    }
  }

  /** No more frames will come, because of `error` if one is given. */
  end(error: unknown = null): void {
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  /** Forgets the frames whose successor is due at `timeMs`. */
  dropBefore(timeMs: number): void {
    let count = 0;
    while (count + 1 < this.#frames.length && this.#frames[count + 1]!.timeMs <= timeMs) count++;
    if (count === 0) return;
    for (const frame of this.#frames.splice(0, count)) this.#bytes -= frame.data.length;
    if (!this.full) this.#wake();
  }

  /** Forgets everything and lets the receiver go. */
  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
    this.end(this.#error);
  }

  /** Forgets everything and takes frames anew: those after frame `number`, which is at `timeMs`. */
  restartAfter(number: number, timeMs: number): void {
    this.#frames = [];
    this.#bytes = 0;
    this.#received = number + 1;
    this.#lastTimeMs = timeMs;
    this.#ended = false;
    this.#error = null;
    this.#wake();
  }

  /** The frames held, from `number` on. */
  from(number: number): readonly Frame[] {
    const first = this.#frames.findIndex((frame) => frame.number >= number);
    return first < 0 ? [] : this.#frames.slice(first);
  }

  /** Frame `number`, while it is held. */
  frame(number: number): Frame | undefined {
    return this.#frames.find((frame) => frame.number === number);
  }

  /** Up to `count` frames that are due at `timeMs` or later, and the one due before. */
  upcoming(timeMs: number, count: number): readonly Frame[] {
    let first = 0;
    while (first + 1 < this.#frames.length && this.#frames[first + 1]!.timeMs <= timeMs) first++;
    return this.#frames.slice(first, first + count);
  }

  #wake(): void {
    this.#wakeReceiver?.();
    this.#wakeReceiver = null;
  }
}
