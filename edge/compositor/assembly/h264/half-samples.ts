// Half samples around a block, made once for a search: every vector within
// three quarters of a sample is then the mean of two of them (ITU-T H.264,
// 8.4.2.2.1 and Table 8-12).

/** Rows of the planes are so long: a sample to the left, 16, and two to the right. */
const STRIDE: usize = 32;
/** b, h and j of Figure 8-4 for the samples from (-1, -1) on. */
const across = memory.data(32 * 19, 16);
const down = memory.data(32 * 19, 16);
const centre = memory.data(32 * 19, 16);
/** int16 [24, 32]: b before it is rounded, from row -3 on. */
const sums = memory.data(2 * 32 * 24, 16);
const INNER_TAPS = memory.data<i16>([-5, 20, -5, 20, -5, 20, -5, 20], 16);

let whole: usize = 0;
let wholeStride: usize = 0;
let hasCentre = false;
let blockWidth: i32 = 0;
let blockHeight: i32 = 0;

@inline
function taps(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128): v128 {
  return i16x8.add(
    i16x8.add(a, f),
    i16x8.sub(
      i16x8.mul(i16x8.add(c, d), i16x8.splat(20)),
      i16x8.mul(i16x8.add(b, e), i16x8.splat(5)),
    ),
  );
}

@inline
function rounded(sum: v128): v128 {
  const half = i16x8.shr_s(i16x8.add(sum, i16x8.splat(16)), 5);
  return i8x16.narrow_i16x8_u(half, half);
}

/**
 * Makes the half samples on lines and columns around a block; those between
 * four follow when they are asked for.
 * @param at the block's first sample; 3 samples more on the left and above, and 4 beyond, are read
 */
export function gatherHalfSamples(at: usize, stride: usize, width: i32, height: i32): void {
  whole = at;
  wholeStride = stride;
  hasCentre = false;
  blockWidth = width;
  blockHeight = height;
  for (let x: usize = 0; x < <usize>width + 2; x += 8) {
    let from = at + x - 1 - 3 * stride;
    // Rows slide down: each is loaded once.
    let r0 = v128.load8x8_u(from);
    let r1 = v128.load8x8_u(from + stride);
    let r2 = v128.load8x8_u(from + 2 * stride);
    let r3 = v128.load8x8_u(from + 3 * stride);
    let r4 = v128.load8x8_u(from + 4 * stride);
    from += 5 * stride;
    for (let y: usize = 0; y < <usize>height + 2; y++, from += stride) {
      const r5 = v128.load8x8_u(from);
      v128.store64_lane(down + y * STRIDE + x, rounded(taps(r0, r1, r2, r3, r4, r5)), 0);
      r0 = r1;
      r1 = r2;
      r2 = r3;
      r3 = r4;
      r4 = r5;
    }
    from = at + x - 1 - 3 * stride;
    for (let y: usize = 0; y < <usize>height + 7; y++, from += stride) {
      const sum = taps(
        v128.load8x8_u(from - 2),
        v128.load8x8_u(from - 1),
        v128.load8x8_u(from),
        v128.load8x8_u(from, 1),
        v128.load8x8_u(from, 2),
        v128.load8x8_u(from, 3),
      );
      v128.store(sums + y * 2 * STRIDE + 2 * x, sum);
      if (y >= 2 && y < <usize>height + 4) {
        v128.store64_lane(across + (y - 2) * STRIDE + x, rounded(sum), 0);
      }
    }
  }
}

function gatherCentre(): void {
  hasCentre = true;
  const inner = v128.load(INNER_TAPS);
  for (let x: usize = 0; x < <usize>blockWidth + 1; x += 8) {
    for (let y: usize = 0; y < <usize>blockHeight + 1; y++) {
      const row = sums + y * 2 * STRIDE + 2 * x;
      const outer = i16x8.add(v128.load(row), v128.load(row, 320));
      const middle = i16x8.add(v128.load(row, 64), v128.load(row, 256));
      const core = i16x8.add(v128.load(row, 128), v128.load(row, 192));
      const low = i32x4.add(
        i32x4.dot_i16x8_s(i16x8.shuffle(middle, core, 0, 8, 1, 9, 2, 10, 3, 11), inner),
        i32x4.extend_low_i16x8_s(outer),
      );
      const high = i32x4.add(
        i32x4.dot_i16x8_s(i16x8.shuffle(middle, core, 4, 12, 5, 13, 6, 14, 7, 15), inner),
        i32x4.extend_high_i16x8_s(outer),
      );
      const half = i16x8.narrow_i32x4_s(
        i32x4.shr_s(i32x4.add(low, i32x4.splat(512)), 10),
        i32x4.shr_s(i32x4.add(high, i32x4.splat(512)), 10),
      );
      v128.store64_lane(centre + y * STRIDE + x, i8x16.narrow_i16x8_u(half, half), 0);
    }
  }
}

/** The two predictions whose mean a vector's is, and their strides. */
export let first: usize = 0;
export let firstStride: usize = 0;
export let second: usize = 0;
export let secondStride: usize = 0;

@inline
function setFirst(at: usize, stride: usize): void {
  first = at;
  firstStride = stride;
}

@inline
function setSecond(at: usize, stride: usize): void {
  second = at;
  secondStride = stride;
}

/** @param x from the block's whole place, in quarters of a sample: -3 to 3, as `y` */
export function chooseHalves(x: i32, y: i32): void {
  const fx = x & 3;
  const fy = y & 3;
  // In whole samples, -1 or 0.
  const ix = x >> 2;
  const iy = y >> 2;
  const at = <usize>((iy + 1) * <i32>STRIDE + ix + 1);
  const here = whole + <usize>(iy * <i32>wholeStride + ix);
  if (fx == 0 && fy == 0) {
    setFirst(here, wholeStride);
    setSecond(here, wholeStride);
  } else if (fy == 0) {
    setFirst(across + at, STRIDE);
    if (fx == 2) setSecond(across + at, STRIDE);
    else setSecond(here + <usize>(fx >> 1), wholeStride);
  } else if (fx == 0) {
    setFirst(down + at, STRIDE);
    if (fy == 2) setSecond(down + at, STRIDE);
    else setSecond(here + <usize>(fy >> 1) * wholeStride, wholeStride);
  } else if (fx == 2 || fy == 2) {
    if (!hasCentre) gatherCentre();
    setFirst(centre + at, STRIDE);
    if (fx == 2 && fy == 2) setSecond(centre + at, STRIDE);
    else if (fx == 2) setSecond(across + at + <usize>(fy >> 1) * STRIDE, STRIDE);
    else setSecond(down + at + <usize>(fx >> 1), STRIDE);
  } else {
    setFirst(across + at + <usize>(fy >> 1) * STRIDE, STRIDE);
    setSecond(down + at + <usize>(fx >> 1), STRIDE);
  }
}
