/**
 * Discrete Fourier transform of real input for lengths with small prime
 * factors. The STFT needs 800 points, and the maintained FFT packages take
 * powers of two only. Stockham autosort, so no bit reversal (Van Loan,
 * "Computational Frameworks for the FFT", 1.7).
 */
export class RealFft {
  readonly size: number;
  readonly #half: number;
  readonly #radices: readonly number[];
  /** cos and -sin of 2 pi k / half. */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  /** cos and -sin of 2 pi k / size. */
  readonly #splitCos: Float64Array;
  readonly #splitSin: Float64Array;
  #re: Float64Array;
  #im: Float64Array;
  #nextRe: Float64Array;
  #nextIm: Float64Array;

  /** @param size even, its half made of factors up to 7. */
  constructor(size: number) {
    this.size = size;
    this.#half = size / 2;
    this.#radices = factorise(this.#half);
    [this.#cos, this.#sin] = roots(this.#half, this.#half);
    [this.#splitCos, this.#splitSin] = roots(size, this.#half + 1);
    this.#re = new Float64Array(this.#half);
    this.#im = new Float64Array(this.#half);
    this.#nextRe = new Float64Array(this.#half);
    this.#nextIm = new Float64Array(this.#half);
  }

  /**
   * Magnitudes of bins 0..size/2 of `input` (float64 [size]), written to
   * `magnitudes` (float64 [size/2 + 1]).
   */
  magnitudes(input: Float64Array, magnitudes: Float64Array): void {
    // Two real samples make one complex one; the halves are told apart below.
    const half = this.#half;
    for (let n = 0; n < half; n++) {
      this.#re[n] = input[2 * n]!;
      this.#im[n] = input[2 * n + 1]!;
    }
    this.#transform();
    const re = this.#re;
    const im = this.#im;
    for (let k = 0; k <= half; k++) {
      const a = k % half;
      const b = (half - k) % half;
      const evenRe = (re[a]! + re[b]!) / 2;
      const evenIm = (im[a]! - im[b]!) / 2;
      const oddRe = (im[a]! + im[b]!) / 2;
      const oddIm = (re[b]! - re[a]!) / 2;
      const c = this.#splitCos[k]!;
      const s = this.#splitSin[k]!;
      const x = evenRe + c * oddRe - s * oddIm;
      const y = evenIm + c * oddIm + s * oddRe;
      magnitudes[k] = Math.sqrt(x * x + y * y);
    }
  }

  #transform(): void {
    let length = this.#half;
    let stride = 1;
    for (const radix of this.#radices) {
      this.#stage(radix, length, stride);
      [this.#re, this.#nextRe] = [this.#nextRe, this.#re];
      [this.#im, this.#nextIm] = [this.#nextIm, this.#im];
      length /= radix;
      stride *= radix;
    }
  }

  /** One pass of `radix`-point butterflies over sub-transforms of `length` points. */
  #stage(radix: number, length: number, stride: number): void {
    const [re, im, toRe, toIm] = [this.#re, this.#im, this.#nextRe, this.#nextIm];
    const cos = this.#cos;
    const sin = this.#sin;
    const total = this.#half;
    const part = length / radix;
    for (let p = 0; p < part; p++) {
      for (let k = 0; k < radix; k++) {
        const twiddle = (p * k * stride) % total;
        const to = stride * (radix * p + k);
        for (let q = 0; q < stride; q++) {
          let sumRe = 0;
          let sumIm = 0;
          for (let j = 0; j < radix; j++) {
            const from = q + stride * (p + part * j);
            const angle = ((j * k) % radix) * (total / radix);
            sumRe += re[from]! * cos[angle]! - im[from]! * sin[angle]!;
            sumIm += re[from]! * sin[angle]! + im[from]! * cos[angle]!;
          }
          toRe[to + q] = sumRe * cos[twiddle]! - sumIm * sin[twiddle]!;
          toIm[to + q] = sumRe * sin[twiddle]! + sumIm * cos[twiddle]!;
        }
      }
    }
  }
}

function factorise(size: number): number[] {
  const radices: number[] = [];
  let rest = size;
  for (const radix of [4, 5, 3, 2, 7]) {
    while (rest % radix === 0) {
      radices.push(radix);
      rest /= radix;
    }
  }
  if (rest !== 1 || size % 1 !== 0) {
    throw new RangeError(`no transform for ${2 * size} points: half of it needs factors up to 7`);
  }
  return radices;
}

function roots(size: number, count: number): [Float64Array, Float64Array] {
  const cos = new Float64Array(count);
  const sin = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    cos[k] = Math.cos((2 * Math.PI * k) / size);
    sin[k] = -Math.sin((2 * Math.PI * k) / size);
  }
  return [cos, sin];
}
