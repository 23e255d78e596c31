/** Seeded random numbers, so that a training can be repeated. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Uniform in [low, high); mulberry32 (Tommy Ettinger, public domain). */
  between(low = 0, high = 1): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return low + (high - low) * (((t ^ (t >>> 14)) >>> 0) / 2 ** 32);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.between() < probability;
  }

  integer(low: number, end: number): number {
    return Math.floor(this.between(low, end));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.integer(0, values.length)]!;
  }

  /** Normal, mean 0, deviation 1 (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.between())) * Math.cos(2 * Math.PI * this.between());
  }

  shuffle(values: Uint32Array): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.integer(0, i + 1);
      const swapped = values[i]!;
      values[i] = values[j]!;
      values[j] = swapped;
    }
  }
}
