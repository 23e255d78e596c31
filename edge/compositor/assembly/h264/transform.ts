// The 4x4 transform and its inverse (ITU-T H.264, 8.5.12.2), two blocks that lie
// side by side at a time, and the transforms of their DC (8.5.10, 8.5.11).
//
// A block of coefficients is int16 [16] with the vertical frequency running
// first, which saves a transposition on either way.

/** int16 [2, 16]: coefficients of a pair of blocks. */
export const PAIR = memory.data(64, 16);

/** 8 differences of a row of a pair. */
@inline
function difference(source: usize, prediction: usize): v128 {
  return i16x8.sub(v128.load8x8_u(source), v128.load8x8_u(prediction));
}

/**
 * Transforms what the prediction of two blocks misses, to `PAIR`.
 * @param stride bytes from row to row, of both
 */
export function forwardPair(source: usize, prediction: usize, stride: usize): void {
  const a = difference(source, prediction);
  const b = difference(source + stride, prediction + stride);
  const c = difference(source + 2 * stride, prediction + 2 * stride);
  const d = difference(source + 3 * stride, prediction + 3 * stride);
  // Vertically: each row of results is a frequency.
  const sumAD = i16x8.add(a, d);
  const sumBC = i16x8.add(b, c);
  const difAD = i16x8.sub(a, d);
  const difBC = i16x8.sub(b, c);
  const v0 = i16x8.add(sumAD, sumBC);
  const v1 = i16x8.add(i16x8.add(difAD, difAD), difBC);
  const v2 = i16x8.sub(sumAD, sumBC);
  const v3 = i16x8.sub(difAD, i16x8.add(difBC, difBC));
  // Transposed: each vector is a column of either block.
  const t0 = i16x8.shuffle(v0, v1, 0, 8, 1, 9, 4, 12, 5, 13);
  const t1 = i16x8.shuffle(v0, v1, 2, 10, 3, 11, 6, 14, 7, 15);
  const t2 = i16x8.shuffle(v2, v3, 0, 8, 1, 9, 4, 12, 5, 13);
  const t3 = i16x8.shuffle(v2, v3, 2, 10, 3, 11, 6, 14, 7, 15);
  const x0 = i32x4.shuffle(t0, t2, 0, 4, 2, 6);
  const x1 = i32x4.shuffle(t0, t2, 1, 5, 3, 7);
  const x2 = i32x4.shuffle(t1, t3, 0, 4, 2, 6);
  const x3 = i32x4.shuffle(t1, t3, 1, 5, 3, 7);
  const sum03 = i16x8.add(x0, x3);
  const sum12 = i16x8.add(x1, x2);
  const dif03 = i16x8.sub(x0, x3);
  const dif12 = i16x8.sub(x1, x2);
  const h0 = i16x8.add(sum03, sum12);
  const h1 = i16x8.add(i16x8.add(dif03, dif03), dif12);
  const h2 = i16x8.sub(sum03, sum12);
  const h3 = i16x8.sub(dif03, i16x8.add(dif12, dif12));
  v128.store(PAIR, i64x2.shuffle(h0, h1, 0, 2));
  v128.store(PAIR, i64x2.shuffle(h2, h3, 0, 2), 16);
  v128.store(PAIR, i64x2.shuffle(h0, h1, 1, 3), 32);
  v128.store(PAIR, i64x2.shuffle(h2, h3, 1, 3), 48);
}

/**
 * Adds what the scaled coefficients in `PAIR` stand for to a prediction.
 * @param out two blocks side by side in a plane
 */
export function inversePair(
  prediction: usize,
  predictionStride: usize,
  out: usize,
  outStride: usize,
): void {
  const a0 = v128.load(PAIR);
  const a2 = v128.load(PAIR, 16);
  const b0 = v128.load(PAIR, 32);
  const b2 = v128.load(PAIR, 48);
  const d0 = i64x2.shuffle(a0, b0, 0, 2);
  const d1 = i64x2.shuffle(a0, b0, 1, 3);
  const d2 = i64x2.shuffle(a2, b2, 0, 2);
  const d3 = i64x2.shuffle(a2, b2, 1, 3);
  // Horizontally first, as (8-338) to (8-345) say.
  const e0 = i16x8.add(d0, d2);
  const e1 = i16x8.sub(d0, d2);
  const e2 = i16x8.sub(i16x8.shr_s(d1, 1), d3);
  const e3 = i16x8.add(d1, i16x8.shr_s(d3, 1));
  const f0 = i16x8.add(e0, e3);
  const f1 = i16x8.add(e1, e2);
  const f2 = i16x8.sub(e1, e2);
  const f3 = i16x8.sub(e0, e3);
  const t0 = i16x8.shuffle(f0, f1, 0, 8, 1, 9, 4, 12, 5, 13);
  const t1 = i16x8.shuffle(f0, f1, 2, 10, 3, 11, 6, 14, 7, 15);
  const t2 = i16x8.shuffle(f2, f3, 0, 8, 1, 9, 4, 12, 5, 13);
  const t3 = i16x8.shuffle(f2, f3, 2, 10, 3, 11, 6, 14, 7, 15);
  const y0 = i32x4.shuffle(t0, t2, 0, 4, 2, 6);
  const y1 = i32x4.shuffle(t0, t2, 1, 5, 3, 7);
  const y2 = i32x4.shuffle(t1, t3, 0, 4, 2, 6);
  const y3 = i32x4.shuffle(t1, t3, 1, 5, 3, 7);
  const g0 = i16x8.add(i16x8.add(y0, y2), i16x8.splat(32));
  const g1 = i16x8.add(i16x8.sub(y0, y2), i16x8.splat(32));
  const g2 = i16x8.sub(i16x8.shr_s(y1, 1), y3);
  const g3 = i16x8.add(y1, i16x8.shr_s(y3, 1));
  addRow(prediction, out, i16x8.add(g0, g3));
  addRow(prediction + predictionStride, out + outStride, i16x8.add(g1, g2));
  addRow(prediction + 2 * predictionStride, out + 2 * outStride, i16x8.sub(g1, g2));
  addRow(prediction + 3 * predictionStride, out + 3 * outStride, i16x8.sub(g0, g3));
}

@inline
function addRow(prediction: usize, out: usize, residual: v128): void {
  const row = i16x8.add(v128.load8x8_u(prediction), i16x8.shr_s(residual, 6));
  v128.store64_lane(out, i8x16.narrow_i16x8_u(row, row), 0);
}

/** The prediction as it is, of 8 samples a row. */
export function copyRows(from: usize, fromStride: usize, to: usize, toStride: usize, rows: i32): void {
  for (; rows > 0; rows--, from += fromStride, to += toStride) store<u64>(to, load<u64>(from));
}

/** int32 [4, 4], by column and row alike: its own inverse but for a factor of 16 (8.5.10). */
export function hadamard16(values: usize): void {
  for (let i: usize = 0; i < 4; i++) hadamard4(values + 16 * i, 4);
  for (let i: usize = 0; i < 4; i++) hadamard4(values + 4 * i, 16);
}

@inline
function hadamard4(at: usize, step: usize): void {
  const a = load<i32>(at);
  const b = load<i32>(at + step);
  const c = load<i32>(at + 2 * step);
  const d = load<i32>(at + 3 * step);
  store<i32>(at, a + b + c + d);
  store<i32>(at + step, a + b - c - d);
  store<i32>(at + 2 * step, a - b - c + d);
  store<i32>(at + 3 * step, a - b + c - d);
}
