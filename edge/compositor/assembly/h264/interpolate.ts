// Inter prediction samples (ITU-T H.264, 8.4.2.2): luma to a quarter of a
// sample by a filter of six taps and a mean, chroma to an eighth bilinearly.

/** Room for half samples [16, 16], and for sums that are not rounded yet: int16 [21, 16]. */
const halfSamples = memory.data(256, 16);
const sums = memory.data(21 * 32, 16);
/** Of the second filter: -5 and 20, for pairs of neighbours. */
const INNER_TAPS = memory.data<i16>([-5, 20, -5, 20, -5, 20, -5, 20], 16);

/** a - 5 b + 20 c + 20 d - 5 e + f of 8 samples that begin `step` bytes apart. */
@inline
function sixTaps(at: usize, step: usize): v128 {
  const outer = i16x8.add(v128.load8x8_u(at - 2 * step), v128.load8x8_u(at + 3 * step));
  const middle = i16x8.add(v128.load8x8_u(at - step), v128.load8x8_u(at + 2 * step));
  const inner = i16x8.add(v128.load8x8_u(at), v128.load8x8_u(at + step));
  return i16x8.add(
    outer,
    i16x8.sub(
      i16x8.mul(inner, i16x8.splat(20)),
      i16x8.mul(middle, i16x8.splat(5)),
    ),
  );
}

/** Half samples between neighbours `step` bytes apart: b and h of (8-241) and (8-242). */
function filter(at: usize, stride: usize, step: usize, out: usize, width: i32, height: i32): void {
  for (let y = 0; y < height; y++, at += stride, out += 16) {
    for (let x: usize = 0; x < <usize>width; x += 8) {
      const sum = i16x8.add(sixTaps(at + x, step), i16x8.splat(16));
      const half = i16x8.shr_s(sum, 5);
      v128.store64_lane(out + x, i8x16.narrow_i16x8_u(half, half), 0);
    }
  }
}

/** Half samples between four: j of (8-247). */
function filterBoth(at: usize, stride: usize, out: usize, width: i32, height: i32): void {
  const taps = v128.load(INNER_TAPS);
  for (let x: usize = 0; x < <usize>width; x += 8) {
    let from = at + x - 2 * stride;
    for (let y: usize = 0; y < <usize>height + 5; y++, from += stride) {
      v128.store(sums + y * 16, sixTaps(from, 1));
    }
    let to = out + x;
    for (let y: usize = 0; y < <usize>height; y++, to += 16) {
      const row = sums + y * 16;
      const outer = i16x8.add(v128.load(row), v128.load(row, 80));
      const middle = i16x8.add(v128.load(row, 16), v128.load(row, 64));
      const inner = i16x8.add(v128.load(row, 32), v128.load(row, 48));
      const low = i32x4.add(
        i32x4.dot_i16x8_s(i16x8.shuffle(middle, inner, 0, 8, 1, 9, 2, 10, 3, 11), taps),
        i32x4.extend_low_i16x8_s(outer),
      );
      const high = i32x4.add(
        i32x4.dot_i16x8_s(i16x8.shuffle(middle, inner, 4, 12, 5, 13, 6, 14, 7, 15), taps),
        i32x4.extend_high_i16x8_s(outer),
      );
      const half = i16x8.narrow_i32x4_s(
        i32x4.shr_s(i32x4.add(low, i32x4.splat(512)), 10),
        i32x4.shr_s(i32x4.add(high, i32x4.splat(512)), 10),
      );
      v128.store64_lane(to, i8x16.narrow_i16x8_u(half, half), 0);
    }
  }
}

function copy(at: usize, stride: usize, out: usize, width: i32, height: i32): void {
  if (width == 16) {
    for (let y = 0; y < height; y++, at += stride, out += 16) v128.store(out, v128.load(at));
  } else {
    for (let y = 0; y < height; y++, at += stride, out += 16) store<u64>(out, load<u64>(at));
  }
}

/** The mean of what is in `out` and another prediction, rounded up. */
function average(at: usize, stride: usize, out: usize, width: i32, height: i32): void {
  if (width == 16) {
    for (let y = 0; y < height; y++, at += stride, out += 16) {
      v128.store(out, i8x16.avgr_u(v128.load(out), v128.load(at)));
    }
  } else {
    for (let y = 0; y < height; y++, at += stride, out += 16) {
      const mean = i8x16.avgr_u(v128.load64_zero(out), v128.load64_zero(at));
      v128.store64_lane(out, mean, 0);
    }
  }
}

/**
 * @param at the sample to which the whole part of the vector leads
 * @param x the vector's quarters, 0..3, as `y`
 * @param out rows 16 bytes apart
 * @param width 8 or 16
 */
export function predictLuma(
  at: usize,
  stride: usize,
  x: i32,
  y: i32,
  out: usize,
  width: i32,
  height: i32,
): void {
  if (x == 0 && y == 0) {
    copy(at, stride, out, width, height);
  } else if (y == 0) {
    filter(at, stride, 1, out, width, height);
    if (x != 2) average(at + (x >> 1), stride, out, width, height);
  } else if (x == 0) {
    filter(at, stride, stride, out, width, height);
    if (y != 2) average(at + <usize>(y >> 1) * stride, stride, out, width, height);
  } else if (x == 2 || y == 2) {
    filterBoth(at, stride, out, width, height);
    if (x == 2 && y == 2) return;
    // f and q have b or s beside them, i and k have h or m (Table 8-12).
    if (x == 2) filter(at + <usize>(y >> 1) * stride, stride, 1, halfSamples, width, height);
    else filter(at + (x >> 1), stride, stride, halfSamples, width, height);
    average(halfSamples, 16, out, width, height);
  } else {
    filter(at + <usize>(y >> 1) * stride, stride, 1, out, width, height);
    filter(at + (x >> 1), stride, stride, halfSamples, width, height);
    average(halfSamples, 16, out, width, height);
  }
}

/**
 * @param x the vector's eighths, 0..7, as `y` (8.4.2.2.2)
 * @param out rows 8 bytes apart
 * @param width 4 or 8
 */
export function predictChromaInter(
  at: usize,
  stride: usize,
  x: i32,
  y: i32,
  out: usize,
  width: i32,
  height: i32,
): void {
  if ((x | y) == 0 && width == 8) {
    for (; height > 0; height--, at += stride, out += 8) store<u64>(out, load<u64>(at));
    return;
  }
  const a = i16x8.splat(<i16>((8 - x) * (8 - y)));
  const b = i16x8.splat(<i16>(x * (8 - y)));
  const c = i16x8.splat(<i16>((8 - x) * y));
  const d = i16x8.splat(<i16>(x * y));
  for (let row = 0; row < height; row++, at += stride, out += 8) {
    const sum = i16x8.add(
      i16x8.add(
        i16x8.mul(v128.load8x8_u(at), a),
        i16x8.mul(v128.load8x8_u(at, 1), b),
      ),
      i16x8.add(
        i16x8.mul(v128.load8x8_u(at + stride), c),
        i16x8.mul(v128.load8x8_u(at + stride, 1), d),
      ),
    );
    const mean = i16x8.shr_u(i16x8.add(sum, i16x8.splat(32)), 6);
    const bytes = i8x16.narrow_i16x8_u(mean, mean);
    if (width == 8) v128.store64_lane(out, bytes, 0);
    else v128.store32_lane(out, bytes, 0);
  }
}
