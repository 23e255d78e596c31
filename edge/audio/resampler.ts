import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";

/** Attenuation beyond the stop band's edge: 80 dB (Kaiser and Schafer 1980: beta = 0.1102 (A - 8.7)). */
const KAISER_BETA = 0.1102 * (80 - 8.7);
/** Half length of the filter in samples of the lower rate: a transition of a tenth of its band. */
const HALF_LENGTH = 50;
/**
 * Filter phases in a table. The usual rates need 640 at most and are exact;
 * between the phases of others the filter is interpolated, which costs accuracy
 * only below -110 dB. Without a bound, 95999 Hz would take 38 MB and half a second.
 */
const MAX_PHASES = 640;
/** Middle of the transition, as a part of the lower rate's Nyquist frequency. */
const CUTOFF = 0.95;

/**
 * Any rate to 16 kHz, by a polyphase windowed-sinc filter that lets 0.9 of the
 * band through and stops what would alias. Streaming: the samples do not
 * depend on how the input is cut. Sample k of the output is at time k / 16000;
 * n samples give `ceil(n * 16000 / rate)`.
 */
export class Resampler {
  readonly #up: number;
  readonly #down: number;
  /** Input samples on either side of an output sample. */
  readonly #reach: number;
  readonly #phaseCount: number;
  /** [phaseCount + 1][2 * reach]; the last is the first, one sample on. */
  readonly #phases: Float32Array;
  #history: Float64Array;
  /** Position of the first sample of the history in the input; silence before 0. */
  #historyStart: number;
  #received = 0;
  #produced = 0;

  /** @param rate Hz, an integer */
  constructor(rate: number) {
    const divisor = greatestCommonDivisor(rate, SAMPLE_RATE);
    this.#up = SAMPLE_RATE / divisor;
    this.#down = rate / divisor;
    const band = Math.min(1, SAMPLE_RATE / rate);
    this.#reach = Math.ceil(HALF_LENGTH / band);
    this.#phaseCount = Math.min(this.#up, MAX_PHASES);
    this.#phases = designPhases(this.#phaseCount, this.#reach, band);
    this.#historyStart = -this.#reach;
    this.#history = new Float64Array(this.#reach);
  }

  /** @returns the output samples that the input so far decides */
  push(samples: Float64Array): Float64Array {
    const kept = this.#history;
    this.#history = new Float64Array(kept.length + samples.length);
    this.#history.set(kept);
    this.#history.set(samples, kept.length);
    this.#received += samples.length;
    // An output sample needs `reach` samples after its own position.
    const until = Math.floor(((this.#received - this.#reach) * this.#up) / this.#down);
    const output = this.#produce(Math.max(this.#produced, until));
    this.#forget();
    return output;
  }

  /** The rest, with silence after the end. */
  flush(): Float64Array {
    const total = Math.ceil((this.#received * this.#up) / this.#down);
    const kept = this.#history;
    this.#history = new Float64Array(kept.length + this.#reach + 1);
    this.#history.set(kept);
    return this.#produce(total);
  }

  #produce(until: number): Float64Array {
    const output = new Float64Array(until - this.#produced);
    for (let n = 0; n < output.length; n++) {
      const position = (this.#produced + n) * this.#down;
      const centre = Math.floor(position / this.#up);
      const phase = ((position - centre * this.#up) * this.#phaseCount) / this.#up;
      const row = Math.floor(phase);
      const first = centre - this.#reach + 1 - this.#historyStart;
      const value = this.#filter(row, first);
      const share = phase - row;
      output[n] = share === 0 ? value : value + share * (this.#filter(row + 1, first) - value);
    }
    this.#produced = until;
    return output;
  }

  #filter(row: number, first: number): number {
    const width = 2 * this.#reach;
    const start = row * width;
    let sum = 0;
    for (let tap = 0; tap < width; tap++) {
      sum += this.#phases[start + tap]! * this.#history[first + tap]!;
    }
    return sum;
  }

  #forget(): void {
    const centre = Math.floor((this.#produced * this.#down) / this.#up);
    const needed = centre - this.#reach + 1;
    const count = Math.min(this.#history.length, Math.max(0, needed - this.#historyStart));
    this.#history = this.#history.slice(count);
    this.#historyStart += count;
  }
}

/** Phase p, tap t: weight of input `centre - reach + 1 + t` at position `centre + p / count`. */
function designPhases(count: number, reach: number, band: number): Float32Array {
  const width = 2 * reach;
  const phases = new Float32Array((count + 1) * width);
  const cutoff = CUTOFF * band;
  const norm = besselI0(KAISER_BETA);
  for (let p = 0; p <= count; p++) {
    const taps = new Float64Array(width);
    let sum = 0;
    for (let t = 0; t < width; t++) {
      const distance = t - reach + 1 - p / count;
      const edge = 1 - (distance / reach) ** 2;
      const window = edge <= 0 ? 0 : besselI0(KAISER_BETA * Math.sqrt(edge)) / norm;
      taps[t] = cutoff * sinc(cutoff * distance) * window;
      sum += taps[t]!;
    }
    // Each phase passes a constant as it is.
    for (let t = 0; t < width; t++) phases[p * width + t] = taps[t]! / sum;
  }
  return phases;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-16; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
