/**
 * Changes the rate of sound that comes in pieces: a low-pass filter (windowed
 * sinc) that is read at the places of the new samples.
 */
export class Resampler {
  readonly #step: number;
  readonly #half: number;
  /** Filters for places between two samples, one after the other. */
  readonly #taps: Float32Array;
  #history: Float32Array;
  /** Where the next sample is read, in samples of `#history`. */
  #at: number;

  /** @param from @param to In Hz. */
  constructor(from: number, to: number) {
    this.#step = from / to;
    const cutoff = PASS_BAND * Math.min(1, to / from);
    this.#half = Math.ceil(LOBES / cutoff);
    this.#taps = filters(cutoff, this.#half);
    this.#history = new Float32Array(2 * this.#half);
    this.#at = this.#half;
  }

  /** @returns What can be made by now; the rest comes with the next piece. */
  process(input: Float32Array): Float32Array<ArrayBuffer> {
    const half = this.#half;
    const all = new Float32Array(this.#history.length + input.length);
    all.set(this.#history);
    all.set(input, this.#history.length);
    const count = Math.max(0, Math.ceil((all.length - half - this.#at) / this.#step));
    const output = new Float32Array(count);
    for (let n = 0; n < count; n++) {
      const at = this.#at + n * this.#step;
      const whole = Math.floor(at);
      const phase = Math.round((at - whole) * PHASES);
      let sum = 0;
      for (let k = 0, tap = phase * 2 * half; k < 2 * half; k++, tap++) {
        sum += all[whole - half + 1 + k]! * this.#taps[tap]!;
      }
      output[n] = sum;
    }
    const next = this.#at + count * this.#step;
    const kept = Math.max(0, Math.floor(next) - half);
    this.#history = all.slice(kept);
    this.#at = next - kept;
    return output;
  }
}

/** Places between two samples that are told apart. */
const PHASES = 128;
/** Zero crossings of the sinc on either side. */
const LOBES = 12;
/** Share of the narrower band that is kept. */
const PASS_BAND = 0.92;

function filters(cutoff: number, half: number): Float32Array {
  const taps = new Float32Array((PHASES + 1) * 2 * half);
  for (let phase = 0; phase <= PHASES; phase++) {
    let sum = 0;
    for (let k = 0; k < 2 * half; k++) {
      const x = k - half + 1 - phase / PHASES;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
      // Hann.
      const window = Math.abs(x) >= half ? 0 : 0.5 + 0.5 * Math.cos((Math.PI * x) / half);
      const tap = cutoff * sinc * window;
      taps[phase * 2 * half + k] = tap;
      sum += tap;
    }
    // Each filter passes a constant as it is, or phases would be heard.
    for (let k = 0; k < 2 * half; k++) taps[phase * 2 * half + k]! /= sum;
  }
  return taps;
}
