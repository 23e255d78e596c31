/** Counts of milliseconds in steps of half a millisecond; quantiles without keeping the values. */
export class Histogram {
  readonly #counts = new Map<number, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(ms: number, count = 1): void {
    const bucket = Math.round(2 * ms);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
    this.#total += count;
  }

  /** @param share 0..1 @returns milliseconds; 0 when nothing was added */
  quantile(share: number): number {
    let left = share * this.#total;
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return bucket / 2;
    }
    return 0;
  }
}
