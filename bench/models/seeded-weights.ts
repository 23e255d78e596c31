/**
 * Random weights that are the same on every machine, scaled so that the
 * strength of a signal (its mean square) is kept from layer to layer, as
 * training with batch norm would keep it.
 */
export class SeededWeights {
  #state: number;
  #spare: number | null = null;

  /** @param seed any integer; equal seeds give equal weights. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /**
   * Weights of a convolution, float32 [out, inPerGroup, kernel, kernel].
   * @param gain variance of the output over that of the input: 2 before a ReLU (He
   *   et al., 2015), 1 where nothing follows.
   */
  conv(out: number, inPerGroup: number, kernel: number, gain: number): Float32Array {
    const fanIn = inPerGroup * kernel * kernel;
    const deviation = Math.sqrt(gain / fanIn);
    const weights = new Float32Array(out * fanIn);
    for (let i = 0; i < weights.length; i++) weights[i] = deviation * this.#normal();
    if (inPerGroup > 1) centre(weights, fanIn);
    return weights;
  }

  /** Small biases, so that no two channels of a layer rest at the same level. */
  bias(out: number): Float32Array {
    return Float32Array.from({ length: out }, () => 0.05 * this.#normal());
  }

  /** Marsaglia's polar method; each round gives two. */
  #normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare;
      this.#spare = null;
      return spare;
    }
    for (;;) {
      const x = 2 * this.#uniform() - 1;
      const y = 2 * this.#uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spare = y * scale;
      return x * scale;
    }
  }

  /** mulberry32 (Tommy Ettinger, public domain). */
  #uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}

/**
 * Makes the weights of every output channel sum to zero. What comes out of a
 * ReLU is positive everywhere; without this the common level would grow with
 * the depth until the picture no longer shows in it.
 */
function centre(weights: Float32Array, fanIn: number): void {
  for (let start = 0; start < weights.length; start += fanIn) {
    const row = weights.subarray(start, start + fanIn);
    const mean = row.reduce((sum, weight) => sum + weight, 0) / fanIn;
    for (let i = 0; i < fanIn; i++) row[i] = row[i]! - mean;
  }
}
