/**
 * How long after a request speech can begin. Speech is rendered onto the
 * background frames that will be due then, so the guess decides whether the
 * picture has to be held (too short) or the start is put off (too long).
 */
export class LeadEstimate {
  #ms = INITIAL_MS;

  /** Milliseconds from the request to the likely start. */
  get ms(): number {
    return Math.min(MAX_MS, this.#ms + MARGIN_MS);
  }

  /** Take in how long it really took. */
  measured(ms: number): void {
    if (Number.isFinite(ms) && ms >= 0) this.#ms += (Math.min(ms, MAX_MS) - this.#ms) * WEIGHT;
  }
}

const INITIAL_MS = 600;
/** One frame: a short hold is seen sooner than a late start is heard. */
const MARGIN_MS = 40;
const MAX_MS = 3000;
/** Two or three utterances are enough to settle. */
const WEIGHT = 0.5;
