/** So many arrivals say how they waver: half a second of frames. */
const STRETCH = 12;

/**
 * By how many frames a run of speech is later than it need be: what came last could
 * have been shown so much sooner, whenever it came lately.
 */
export class SpareTime {
  #newest = -1;
  #arrivals = 0;
  #least = Infinity;
  #leastBefore = Infinity;

  /**
   * Speech has come that decides frames up to `newest`.
   * @param spare frames between the first place at which it could be shown and its own
   */
  observe(newest: number, spare: number): void {
    if (newest <= this.#newest) return;
    this.#newest = newest;
    if (this.#arrivals === STRETCH) {
      this.#leastBefore = this.#least;
      this.#least = Infinity;
      this.#arrivals = 0;
    }
    this.#arrivals++;
    this.#least = Math.min(this.#least, spare);
  }

  /** 0 while it is not known. */
  get frames(): number {
    const least = Math.min(this.#least, this.#leastBefore);
    const isKnown = this.#arrivals === STRETCH || this.#leastBefore < Infinity;
    return isKnown ? Math.max(0, least) : 0;
  }
}
