import { type KernelExports, Kernels } from "../wasm/kernels.ts";
import { module } from "./gen/resize.js";
import type { RgbImage } from "./types.ts";

/** OpenCV's bicubic kernel, and the fixed point that it uses for 8-bit images. */
const A = -0.75;
const COEFFICIENT_SCALE = 1 << 11;
const TAPS = 4;
/** Size pairs remembered: avatars with rectangles that change size have a few dozen. */
const MAX_TABLES = 64;
/** Pixels that rows are padded with on each side, and bytes that the kernel may write beyond. */
const BORDER = 2;
const SLACK = 64;

interface ResizeKernel extends KernelExports {
  resize(
    source: number,
    sourceWidth: number,
    sourceHeight: number,
    columns: number,
    rows: number,
    width: number,
    height: number,
    padded: number,
    lines: number,
    lineBytes: number,
    to: number,
  ): void;
}

/** Where the taps of one output position begin, and their weights. */
interface Position {
  /** May lie outside the picture, whose border is repeated. */
  readonly first: number;
  readonly weights: readonly [number, number, number, number];
}

/** What the kernel reads, laid out as `assembly/resize.ts` says. */
interface Tables {
  readonly columns: Int32Array;
  readonly rows: Int32Array;
}

/**
 * Bicubic resize exactly as OpenCV's `resize(..., INTER_CUBIC)` does it on
 * 8-bit images: a = -0.75, centres at half pixels, border repeated, no
 * antialiasing, 11-bit weights, one rounding at the end
 * (modules/imgproc/src/resize.cpp). Owns its tables and memory.
 */
export class CubicResizer {
  readonly #kernels = new Kernels<ResizeKernel>(module);
  readonly #tables = new Map<string, Tables>();

  /** @returns a new image */
  resize(source: RgbImage, width: number, height: number): RgbImage {
    const { columns, rows } = this.#tablesOf(source, width, height);
    const kernels = this.#kernels;
    kernels.begin();
    const columnsAt = kernels.placeNumbers(columns);
    const rowsAt = kernels.placeNumbers(rows);
    const from = kernels.place(source.data);
    const padded = kernels.reserve(3 * (source.width + 2 * BORDER));
    const lineBytes = 12 * width + SLACK;
    const lines = kernels.reserve(TAPS * lineBytes);
    const bytes = 3 * width * height;
    const to = kernels.reserve(bytes);
    kernels.exports.resize(
      from,
      source.width,
      source.height,
      columnsAt,
      rowsAt,
      width,
      height,
      padded,
      lines,
      lineBytes,
      to,
    );
    return { width, height, data: kernels.bytes(to, bytes).slice() };
  }

  #tablesOf(source: RgbImage, width: number, height: number): Tables {
    const key = `${source.width}x${source.height}:${width}x${height}`;
    const known = this.#tables.get(key);
    if (known) return known;
    if (this.#tables.size >= MAX_TABLES) this.#tables.clear();
    const columns = positionsOf(source.width, width).flatMap(({ first, weights }) => {
      const [w0, w1, w2, w3] = weights;
      return [3 * (first + BORDER), pair(w0, w1), pair(w2, w3)];
    });
    const rows = positionsOf(source.height, height).flatMap(({ first, weights }) => [
      first,
      ...weights,
    ]);
    const tables = { columns: Int32Array.from(columns), rows: Int32Array.from(rows) };
    this.#tables.set(key, tables);
    return tables;
  }
}

function positionsOf(from: number, to: number): Position[] {
  const scale = 1 / (to / from);
  return Array.from({ length: to }, (_, n) => {
    const centre = Math.fround((n + 0.5) * scale - 0.5);
    const floor = Math.floor(centre);
    const [w0, w1, w2, w3] = cubicWeights(Math.fround(centre - floor));
    return { first: floor - 1, weights: [fixed(w0), fixed(w1), fixed(w2), fixed(w3)] };
  });
}

/** Two 16-bit numbers in one of 32. */
function pair(low: number, high: number): number {
  return (low & 0xffff) | (high << 16);
}

function fixed(weight: number): number {
  return roundHalfToEven(weight * COEFFICIENT_SCALE);
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
