/** When is enough buffered for the sound to begin, so that it need not stop again? */
export interface StartPolicyOptions {
  readonly fps: number;
  /** Frames that the utterance will have, as far as its length tells. */
  readonly expectedFrames: number;
  /** Least to have before the first start, in seconds. Default 0.4: covers bursts. */
  readonly minBufferSeconds?: number;
  /** Most to wait for, in seconds of speech. Default 5: a long wait is worse than a pause. */
  readonly maxBufferSeconds?: number;
}

/** What has arrived so far. */
export interface Arrival {
  readonly nowMs: number;
  /** Frames received in total. */
  readonly received: number;
  /** Frames received that lie ahead of what has been played. */
  readonly ahead: number;
  /** Nothing more will come. */
  readonly complete: boolean;
  /** The buffer takes no more until some of it is played. */
  readonly full: boolean;
}

/**
 * Estimates the rate at which frames arrive, and from it how many must be ahead
 * for the rest of the utterance to keep up with a steady clock.
 */
export class StartPolicy {
  readonly #options: Required<StartPolicyOptions>;
  #firstMs: number | null = null;
  #firstCount = 0;
  #stalls = 0;

  constructor(options: StartPolicyOptions) {
    this.#options = { minBufferSeconds: 0.4, maxBufferSeconds: 5, ...options };
  }

  /** Tell it that playing ran dry: it will ask for more the next time. */
  stalled(): void {
    this.#stalls++;
  }

  /** True when playing may begin, or go on. Call it for each look at the buffer. */
  ready(arrival: Arrival): boolean {
    if (this.#firstMs === null && arrival.received > 0) {
      this.#firstMs = arrival.nowMs;
      this.#firstCount = arrival.received;
    }
    if (arrival.complete || arrival.full) return true;
    return arrival.ahead >= this.#framesNeeded(arrival);
  }

  #framesNeeded({ nowMs, received }: Arrival): number {
    const { fps, expectedFrames, minBufferSeconds, maxBufferSeconds } = this.#options;
    const least = fps * minBufferSeconds * 2 ** Math.min(this.#stalls, 3);
    const elapsedMs = nowMs - (this.#firstMs ?? nowMs);
    // Too little seen to speak of a rate: frames come in batches.
    if (elapsedMs < MIN_OBSERVED_MS) return least;
    const rate = ((received - this.#firstCount) * 1000) / elapsedMs;
    const remaining = Math.max(0, expectedFrames - received);
    // While the rest arrives, playing uses up `fps / rate` times as many.
    const shortfall = rate > 0 ? remaining * (fps / (rate * RATE_TRUST) - 1) : Infinity;
    return Math.min(Math.max(least, shortfall), Math.max(least, fps * maxBufferSeconds));
  }
}

const MIN_OBSERVED_MS = 200;
/** Share of the seen rate that is counted on. */
const RATE_TRUST = 0.9;
