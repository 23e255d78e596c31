// How far two blocks are apart.

@inline
function addLanes(v: v128): i32 {
  const pairs = i32x4.add(v, i64x2.shuffle(v, v, 1, 0));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

@inline
function absoluteDifference(a: v128, b: v128): v128 {
  return v128.or(i8x16.sub_sat_u(a, b), i8x16.sub_sat_u(b, a));
}

/** Sum of absolute differences. @param width 8 or 16 */
export function sad(a: usize, aStride: usize, b: usize, bStride: usize, width: i32, height: i32): i32 {
  let sums = i16x8.splat(0);
  if (width == 16) {
    for (let y = 0; y < height; y++, a += aStride, b += bStride) {
      const row = absoluteDifference(v128.load(a), v128.load(b));
      sums = i16x8.add(sums, i16x8.extadd_pairwise_i8x16_u(row));
    }
  } else {
    for (let y = 0; y < height; y += 2, a += 2 * aStride, b += 2 * bStride) {
      const rowsA = v128.load64_lane(a + aStride, v128.load64_zero(a), 1);
      const rowsB = v128.load64_lane(b + bStride, v128.load64_zero(b), 1);
      sums = i16x8.add(sums, i16x8.extadd_pairwise_i8x16_u(absoluteDifference(rowsA, rowsB)));
    }
  }
  return addLanes(i32x4.extadd_pairwise_i16x8_u(sums));
}

/** Sum of squared differences. @param width multiple of 8 */
export function ssd(a: usize, aStride: usize, b: usize, bStride: usize, width: i32, height: i32): i32 {
  let sums = i32x4.splat(0);
  for (let y = 0; y < height; y++, a += aStride, b += bStride) {
    for (let x: usize = 0; x < <usize>width; x += 8) {
      const row = i16x8.sub(v128.load8x8_u(a + x), v128.load8x8_u(b + x));
      sums = i32x4.add(sums, i32x4.dot_i16x8_s(row, row));
    }
  }
  return addLanes(sums);
}

/** The same of a 4x4 block. */
export function ssd4x4(a: usize, aStride: usize, b: usize, bStride: usize): i32 {
  let sums = i32x4.splat(0);
  for (let y = 0; y < 4; y++, a += aStride, b += bStride) {
    const row = i16x8.sub(
      i16x8.extend_low_i8x16_u(v128.load32_zero(a)),
      i16x8.extend_low_i8x16_u(v128.load32_zero(b)),
    );
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(row, row));
  }
  return addLanes(sums);
}

/** Sums of absolute Hadamard coefficients of two 4x4 blocks side by side, halved. */
@inline
function satdOf(r0: v128, r1: v128, r2: v128, r3: v128): v128 {
  const a = i16x8.add(r0, r1);
  const b = i16x8.sub(r0, r1);
  const c = i16x8.add(r2, r3);
  const d = i16x8.sub(r2, r3);
  const v0 = i16x8.add(a, c);
  const v1 = i16x8.add(b, d);
  const v2 = i16x8.sub(a, c);
  const v3 = i16x8.sub(b, d);
  const t0 = i16x8.shuffle(v0, v1, 0, 8, 1, 9, 4, 12, 5, 13);
  const t1 = i16x8.shuffle(v0, v1, 2, 10, 3, 11, 6, 14, 7, 15);
  const t2 = i16x8.shuffle(v2, v3, 0, 8, 1, 9, 4, 12, 5, 13);
  const t3 = i16x8.shuffle(v2, v3, 2, 10, 3, 11, 6, 14, 7, 15);
  const x0 = i32x4.shuffle(t0, t2, 0, 4, 2, 6);
  const x1 = i32x4.shuffle(t0, t2, 1, 5, 3, 7);
  const x2 = i32x4.shuffle(t1, t3, 0, 4, 2, 6);
  const x3 = i32x4.shuffle(t1, t3, 1, 5, 3, 7);
  const p = i16x8.abs(i16x8.add(x0, x1));
  const q = i16x8.abs(i16x8.sub(x0, x1));
  const r = i16x8.abs(i16x8.add(x2, x3));
  const s = i16x8.abs(i16x8.sub(x2, x3));
  // |a + b| + |a - b| is twice the larger of |a| and |b|.
  return i16x8.add(
    i16x8.max_s(p, r),
    i16x8.max_s(q, s),
  );
}

@inline
function rowDifference(a: usize, b: usize): v128 {
  return i16x8.sub(v128.load8x8_u(a), v128.load8x8_u(b));
}

/** Half the sum of absolute Hadamard coefficients, 4x4 each. @param width 8 or 16 @param height multiple of 4 */
export function satd(a: usize, aStride: usize, b: usize, bStride: usize, width: i32, height: i32): i32 {
  let sums = i32x4.splat(0);
  for (let y = 0; y < height; y += 4, a += 4 * aStride, b += 4 * bStride) {
    for (let x: usize = 0; x < <usize>width; x += 8) {
      const halves = satdOf(
        rowDifference(a + x, b + x),
        rowDifference(a + x + aStride, b + x + bStride),
        rowDifference(a + x + 2 * aStride, b + x + 2 * bStride),
        rowDifference(a + x + 3 * aStride, b + x + 3 * bStride),
      );
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(halves));
    }
  }
  return addLanes(sums);
}

/** Of the second prediction that `satdOfTwo` was given. */
export let secondSatd: i32 = 0;

/**
 * Half the sums of absolute Hadamard coefficients of a 4x4 block against two predictions.
 * @param predictions side by side, rows 8 bytes apart
 * @returns that of the first
 */
export function satdOfTwo(source: usize, stride: usize, predictions: usize): i32 {
  const halves = i32x4.extadd_pairwise_i16x8_u(
    satdOf(
      twiceDifference(source, predictions),
      twiceDifference(source + stride, predictions + 8),
      twiceDifference(source + 2 * stride, predictions + 16),
      twiceDifference(source + 3 * stride, predictions + 24),
    ),
  );
  secondSatd = i32x4.extract_lane(halves, 2) + i32x4.extract_lane(halves, 3);
  return i32x4.extract_lane(halves, 0) + i32x4.extract_lane(halves, 1);
}

@inline
function twiceDifference(source: usize, predictions: usize): v128 {
  const row = i16x8.extend_low_i8x16_u(v128.load32_splat(source));
  return i16x8.sub(row, v128.load8x8_u(predictions));
}

/** 8 differences from the mean of two predictions. */
@inline
function meanDifference(a: usize, b: usize, c: usize): v128 {
  const mean = i8x16.avgr_u(v128.load64_zero(b), v128.load64_zero(c));
  return i16x8.sub(v128.load8x8_u(a), i16x8.extend_low_i8x16_u(mean));
}

/** As `satd`, of a block whose rows are 16 bytes apart and the rounded mean of two predictions. */
export function satdOfMean(
  a: usize,
  b: usize,
  bStride: usize,
  c: usize,
  cStride: usize,
  width: i32,
  height: i32,
): i32 {
  let sums = i32x4.splat(0);
  for (let y = 0; y < height; y += 4, a += 64, b += 4 * bStride, c += 4 * cStride) {
    for (let x: usize = 0; x < <usize>width; x += 8) {
      const halves = satdOf(
        meanDifference(a + x, b + x, c + x),
        meanDifference(a + x + 16, b + x + bStride, c + x + cStride),
        meanDifference(a + x + 32, b + x + 2 * bStride, c + x + 2 * cStride),
        meanDifference(a + x + 48, b + x + 3 * bStride, c + x + 3 * cStride),
      );
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(halves));
    }
  }
  return addLanes(sums);
}
