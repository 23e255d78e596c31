// The forward cosine transform of Arai, Agui and Nakajima (1988) in float32, 4
// lines at a time, and quantisation. Its results are too large by a factor per
// coefficient, which the multipliers of `./jpeg-tables.ts` divide out.

/**
 * cos(pi/4), sin(pi/8), cos(pi/8) - sin(pi/8) and cos(pi/8) + sin(pi/8), 4 times
 * each. Loaded, because a `v128.const` is slow (`./jpeg-pixels.ts`).
 */
const ROTATIONS = memory.data<f32>([
  0.707106781, 0.707106781, 0.707106781, 0.707106781,
  0.382683433, 0.382683433, 0.382683433, 0.382683433,
  0.5411961, 0.5411961, 0.5411961, 0.5411961,
  1.306562965, 1.306562965, 1.306562965, 1.306562965,
], 16);

/** 1.5 x 2^23: beyond it a float32 has no room for a fraction. */
const ROUNDER = memory.data<f32>([12582912, 12582912, 12582912, 12582912], 16);

/** The transform of one half of a block, which waits to be quantised: 8 x 4 float32. */
const half = memory.data(128, 16);

/**
 * Transforms and quantises a block.
 *
 * Coefficient (u, v), of vertical frequency u and horizontal frequency v, lands
 * at position `positionOf(u, v)`: that order costs no shuffles here, and the
 * coder looks positions up anyway.
 *
 * @param block float32 [8, 8]; is changed
 * @param multipliers float32 [64], by position
 * @param coefficients int16 [64], by position
 */
export function transformBlock(block: usize, multipliers: usize, coefficients: usize): void {
  transformColumns(block);
  transformColumns(block + 16);
  transformRows(block);
  quantiseHalf(multipliers, coefficients);
  transformRows(block + 128);
  quantiseHalf(multipliers + 128, coefficients + 64);
}

export function positionOf(u: i32, v: i32): i32 {
  return (u >> 2) * 32 + v * 4 + (u & 3);
}

@inline
function transformColumns(at: usize): void {
  butterfly(
    v128.load(at),
    v128.load(at, 32),
    v128.load(at, 64),
    v128.load(at, 96),
    v128.load(at, 128),
    v128.load(at, 160),
    v128.load(at, 192),
    v128.load(at, 224),
    at,
    32,
  );
}

/** 4 rows, to `half`: each vector holds one horizontal frequency of the 4. */
@inline
function transformRows(at: usize): void {
  let a = v128.load(at);
  let b = v128.load(at, 32);
  let c = v128.load(at, 64);
  let d = v128.load(at, 96);
  let ab = i32x4.shuffle(a, b, 0, 4, 1, 5);
  let cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
  const d0 = i64x2.shuffle(ab, cd, 0, 2);
  const d1 = i64x2.shuffle(ab, cd, 1, 3);
  ab = i32x4.shuffle(a, b, 2, 6, 3, 7);
  cd = i32x4.shuffle(c, d, 2, 6, 3, 7);
  const d2 = i64x2.shuffle(ab, cd, 0, 2);
  const d3 = i64x2.shuffle(ab, cd, 1, 3);
  a = v128.load(at, 16);
  b = v128.load(at, 48);
  c = v128.load(at, 80);
  d = v128.load(at, 112);
  ab = i32x4.shuffle(a, b, 0, 4, 1, 5);
  cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
  const d4 = i64x2.shuffle(ab, cd, 0, 2);
  const d5 = i64x2.shuffle(ab, cd, 1, 3);
  ab = i32x4.shuffle(a, b, 2, 6, 3, 7);
  cd = i32x4.shuffle(c, d, 2, 6, 3, 7);
  const d6 = i64x2.shuffle(ab, cd, 0, 2);
  const d7 = i64x2.shuffle(ab, cd, 1, 3);
  butterfly(d0, d1, d2, d3, d4, d5, d6, d7, half, 16);
}

/** 8-point transforms of 4 lines. @param step bytes from one result to the next */
@inline
function butterfly(
  d0: v128,
  d1: v128,
  d2: v128,
  d3: v128,
  d4: v128,
  d5: v128,
  d6: v128,
  d7: v128,
  out: usize,
  step: usize,
): void {
  const s07 = f32x4.add(d0, d7);
  const s16 = f32x4.add(d1, d6);
  const s25 = f32x4.add(d2, d5);
  const s34 = f32x4.add(d3, d4);
  const m07 = f32x4.sub(d0, d7);
  const m16 = f32x4.sub(d1, d6);
  const m25 = f32x4.sub(d2, d5);
  const m34 = f32x4.sub(d3, d4);

  const even0 = f32x4.add(s07, s34);
  const even3 = f32x4.sub(s07, s34);
  const even1 = f32x4.add(s16, s25);
  const even2 = f32x4.sub(s16, s25);
  v128.store(out, f32x4.add(even0, even1));
  v128.store(out + 4 * step, f32x4.sub(even0, even1));
  const turned = f32x4.mul(f32x4.add(even2, even3), v128.load(ROTATIONS));
  v128.store(out + 2 * step, f32x4.add(even3, turned));
  v128.store(out + 6 * step, f32x4.sub(even3, turned));

  const odd0 = f32x4.add(m34, m25);
  const odd1 = f32x4.add(m25, m16);
  const odd2 = f32x4.add(m16, m07);
  const z5 = f32x4.mul(f32x4.sub(odd0, odd2), v128.load(ROTATIONS, 16));
  const z2 = f32x4.add(f32x4.mul(odd0, v128.load(ROTATIONS, 32)), z5);
  const z4 = f32x4.add(f32x4.mul(odd2, v128.load(ROTATIONS, 48)), z5);
  const z3 = f32x4.mul(odd1, v128.load(ROTATIONS));
  const z11 = f32x4.add(m07, z3);
  const z13 = f32x4.sub(m07, z3);
  v128.store(out + 5 * step, f32x4.add(z13, z2));
  v128.store(out + 3 * step, f32x4.sub(z13, z2));
  v128.store(out + step, f32x4.add(z11, z4));
  v128.store(out + 7 * step, f32x4.sub(z11, z4));
}

@inline
function quantiseHalf(multipliers: usize, coefficients: usize): void {
  for (let i: usize = 0; i < 4; i++) {
    const low = rounded(half + i * 32, multipliers + i * 32);
    const high = rounded(half + i * 32 + 16, multipliers + i * 32 + 16);
    v128.store(coefficients + i * 16, i16x8.narrow_i32x4_s(low, high));
  }
}

/** Rounds to nearest, ties to even. */
@inline
function rounded(at: usize, multiplier: usize): v128 {
  const exact = f32x4.mul(v128.load(at), v128.load(multiplier));
  const rounder = v128.load(ROUNDER);
  // As integers the two floats differ by what was added.
  return i32x4.sub(f32x4.add(exact, rounder), rounder);
}
