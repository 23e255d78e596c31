/** How many bits D may have. */
export interface RateTarget {
  /** Of D alone, on average; null to keep the quantiser as it is. */
  readonly kilobitsPerSecond: number | null;
  /** Bounds of the quantiser, 10 to 45. */
  readonly minQp: number;
  readonly maxQp: number;
}

/** Seconds in which the rate comes back to the target. */
const WINDOW_SECONDS = 0.5;
/** Quantisers by which one frame may differ from the one before. */
const MAX_STEP = 2;
/** Quantisers by which intra D is finer: those after it are built on it. */
const INTRA_BONUS = 3;
/** Share of the newest frame in what frames are expected to cost. */
const NEWEST_SHARE = 0.3;
/** Bits halve with every so many quantisers. */
const QP_PER_HALVING = 6;

/**
 * Chooses the quantiser of D, frame by frame: a buffer that is filled by what
 * is coded and drained at the target rate, and an estimate of what a frame
 * costs at each quantiser.
 */
export class RateControl {
  readonly #framesPerSecond: number;
  #target: RateTarget;
  #qp: number;
  /** Bits beyond the target so far, or below it if negative. */
  #excess = 0;
  /** What an inter frame would cost at a quantiser of 0; null while none has been coded. */
  #complexity: number | null = null;

  /** @param qp to begin with */
  constructor(qp: number, framesPerSecond: number, target: RateTarget) {
    this.#qp = qp;
    this.#framesPerSecond = framesPerSecond;
    this.#target = target;
  }

  /** Holds from the next frame on. */
  setTarget(target: RateTarget): void {
    this.#target = target;
  }

  /** Holds until the target moves it again. */
  setQp(qp: number): void {
    this.#qp = qp;
  }

  /** The next frame's quantiser. */
  choose(isIntra: boolean): number {
    const { kilobitsPerSecond, minQp, maxQp } = this.#target;
    if (kilobitsPerSecond !== null && this.#complexity !== null) {
      const perFrame = (kilobitsPerSecond * 1000) / this.#framesPerSecond;
      const window = WINDOW_SECONDS * this.#framesPerSecond;
      const allowed = Math.max(perFrame / 8, perFrame - this.#excess / window);
      const wanted = QP_PER_HALVING * Math.log2(this.#complexity / allowed);
      const step = Math.max(-MAX_STEP, Math.min(MAX_STEP, Math.round(wanted) - this.#qp));
      this.#qp += step;
    }
    this.#qp = Math.max(minQp, Math.min(maxQp, this.#qp));
    return isIntra ? Math.max(minQp, this.#qp - INTRA_BONUS) : this.#qp;
  }

  /** Tells what the frame has cost at the quantiser that was chosen for it. */
  record(bits: number, isIntra: boolean): void {
    const { kilobitsPerSecond } = this.#target;
    if (kilobitsPerSecond !== null) {
      const perFrame = (kilobitsPerSecond * 1000) / this.#framesPerSecond;
      // What was saved long ago is not spent at once.
      const most = perFrame * this.#framesPerSecond;
      this.#excess = Math.max(-most / 4, Math.min(2 * most, this.#excess + bits - perFrame));
    }
    if (isIntra) return;
    const complexity = Math.max(1, bits) * 2 ** (this.#qp / QP_PER_HALVING);
    this.#complexity =
      this.#complexity === null
        ? complexity
        : this.#complexity * (1 - NEWEST_SHARE) + complexity * NEWEST_SHARE;
  }
}
