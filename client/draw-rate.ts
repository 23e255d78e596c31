/** Counts what was drawn in the last second. */
export class DrawRate {
  #timesMs: number[] = [];

  drawn(nowMs: number): void {
    this.#timesMs.push(nowMs);
    this.perSecond(nowMs);
  }

  perSecond(nowMs: number): number {
    this.#timesMs = this.#timesMs.filter((timeMs) => timeMs > nowMs - 1000);
    return this.#timesMs.length;
  }
}
