import type { RgbImage } from "./types.ts";

/** OpenCV's bicubic kernel, and the fixed point that it uses for 8-bit images. */
const A = -0.75;
const COEFFICIENT_BITS = 11;
const COEFFICIENT_SCALE = 1 << COEFFICIENT_BITS;
const ROUND = 1 << (2 * COEFFICIENT_BITS - 1);
const TAPS = 4;
/** Size pairs remembered: avatars with rectangles that change size have a few dozen. */
const MAX_TABLES = 64;

/** For each output position: four source positions and their weights. */
interface Table {
  readonly positions: Int32Array;
  readonly weights: Int32Array;
}

/**
 * Bicubic resize exactly as OpenCV's `resize(..., INTER_CUBIC)` does it on
 * 8-bit images: a = -0.75, centres at half pixels, border repeated, no
 * antialiasing, 11-bit weights, one rounding at the end
 * (modules/imgproc/src/resize.cpp). Owns its tables and scratch space.
 */
export class CubicResizer {
  readonly #tables = new Map<string, Table>();
  #scratch = new Int32Array(0);

  /** @returns a new image */
  resize(source: RgbImage, width: number, height: number): RgbImage {
    const columns = this.#table(source.width, width);
    const rows = this.#table(source.height, height);
    const stride = 3 * width;
    if (this.#scratch.length < stride * source.height) {
      this.#scratch = new Int32Array(stride * source.height);
    }
    const scratch = this.#scratch;
    filterRows(source, columns, width, scratch);
    const data = new Uint8Array(stride * height);
    filterColumns(scratch, rows, stride, height, data);
    return { width, height, data };
  }

  #table(from: number, to: number): Table {
    const key = `${from}:${to}`;
    const known = this.#tables.get(key);
    if (known) return known;
    if (this.#tables.size >= MAX_TABLES) this.#tables.clear();
    const table = createTable(from, to);
    this.#tables.set(key, table);
    return table;
  }
}

function createTable(from: number, to: number): Table {
  const positions = new Int32Array(TAPS * to);
  const weights = new Int32Array(TAPS * to);
  const scale = 1 / (to / from);
  for (let n = 0; n < to; n++) {
    const centre = Math.fround((n + 0.5) * scale - 0.5);
    const first = Math.floor(centre);
    const kernel = cubicWeights(Math.fround(centre - first));
    for (let tap = 0; tap < TAPS; tap++) {
      positions[TAPS * n + tap] = Math.min(from - 1, Math.max(0, first - 1 + tap));
      weights[TAPS * n + tap] = roundHalfToEven(kernel[tap]! * COEFFICIENT_SCALE);
    }
  }
  return { positions, weights };
}

function cubicWeights(x: number): [number, number, number, number] {
  const far = ((A * (x + 1) - 5 * A) * (x + 1) + 8 * A) * (x + 1) - 4 * A;
  const near = ((A + 2) * x - (A + 3)) * x * x + 1;
  const y = 1 - x;
  const next = ((A + 2) * y - (A + 3)) * y * y + 1;
  return [far, near, next, 1 - far - near - next];
}

/** As `cvRound` does. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function filterRows(source: RgbImage, table: Table, width: number, to: Int32Array): void {
  const { data } = source;
  const { positions, weights } = table;
  for (let row = 0; row < source.height; row++) {
    const base = 3 * source.width * row;
    let out = 3 * width * row;
    for (let i = 0; i < TAPS * width; i += TAPS, out += 3) {
      const p0 = base + 3 * positions[i]!;
      const p1 = base + 3 * positions[i + 1]!;
      const p2 = base + 3 * positions[i + 2]!;
      const p3 = base + 3 * positions[i + 3]!;
      const w0 = weights[i]!;
      const w1 = weights[i + 1]!;
      const w2 = weights[i + 2]!;
      const w3 = weights[i + 3]!;
      to[out] = data[p0]! * w0 + data[p1]! * w1 + data[p2]! * w2 + data[p3]! * w3;
      to[out + 1] =
        data[p0 + 1]! * w0 + data[p1 + 1]! * w1 + data[p2 + 1]! * w2 + data[p3 + 1]! * w3;
      to[out + 2] =
        data[p0 + 2]! * w0 + data[p1 + 2]! * w1 + data[p2 + 2]! * w2 + data[p3 + 2]! * w3;
    }
  }
}

function filterColumns(
  from: Int32Array,
  table: Table,
  stride: number,
  height: number,
  data: Uint8Array,
): void {
  const { positions, weights } = table;
  for (let row = 0; row < height; row++) {
    const i = TAPS * row;
    const p0 = stride * positions[i]!;
    const p1 = stride * positions[i + 1]!;
    const p2 = stride * positions[i + 2]!;
    const p3 = stride * positions[i + 3]!;
    const w0 = weights[i]!;
    const w1 = weights[i + 1]!;
    const w2 = weights[i + 2]!;
    const w3 = weights[i + 3]!;
    const out = stride * row;
    for (let n = 0; n < stride; n++) {
      const sum = from[p0 + n]! * w0 + from[p1 + n]! * w1 + from[p2 + n]! * w2 + from[p3 + n]! * w3;
      const value = (sum + ROUND) >> (2 * COEFFICIENT_BITS);
      data[out + n] = Math.max(0, Math.min(255, value));
    }
  }
}
