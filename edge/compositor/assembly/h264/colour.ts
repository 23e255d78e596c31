// RGB into 4:2:0 planes: BT.709 of limited range (ITU-T H.264, E.2.1:
// matrix_coefficients 1), chroma averaged over 2x2 samples. A soft edge mixes it
// with what the planes hold.

@unmanaged
class ColourLayout {
  /** 8-bit RGB [height, width, 3], and 16 bytes that may be read beyond it. */
  pixels: i32;
  width: i32;
  height: i32;
  /** Where they go in luma; may be odd. */
  x: i32;
  y: i32;
  planeY: i32;
  planeU: i32;
  planeV: i32;
  /** Bytes from row to row of luma; of chroma half of that. */
  stride: i32;
  softEdge: i32;
  softLeft: i32;
  softTop: i32;
  softRight: i32;
  softBottom: i32;
}

/** 4 RGB pixels to 4 pairs of int16: red and green; then blue and 0. */
const PAIRS = memory.data<i8>([
  0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1,
  2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1,
], 16);

/** Shares of red, green and blue in 32768ths. Of luma they add up to 219 / 255, of chroma to 0. */
const RED_Y: i32 = 5983;
const GREEN_Y: i32 = 20127;
const BLUE_Y: i32 = 2032;
const RED_U: i32 = -3298;
const GREEN_U: i32 = -11094;
const BLUE_U: i32 = 14392;
const RED_V: i32 = 14392;
const GREEN_V: i32 = -13073;
const BLUE_V: i32 = -1319;
const WEIGHTS = memory.data<i16>([
  5983, 20127, 5983, 20127, 5983, 20127, 5983, 20127,
  2032, 0, 2032, 0, 2032, 0, 2032, 0,
  -3298, -11094, -3298, -11094, -3298, -11094, -3298, -11094,
  14392, 0, 14392, 0, 14392, 0, 14392, 0,
  14392, -13073, 14392, -13073, 14392, -13073, 14392, -13073,
  -1319, 0, -1319, 0, -1319, 0, -1319, 0,
], 16);
/** Black, and half of a step. */
const LUMA_OFFSET: i32 = (16 << 15) + (1 << 14);
/** No colour, of 4 samples, and half of a step. */
const CHROMA_OFFSET: i32 = (128 << 17) + (1 << 16);
const FULL: i32 = 256;

export function placeRgb(layoutAt: usize): void {
  const l = changetype<ColourLayout>(layoutAt);
  const endX = l.x + l.width;
  const endY = l.y + l.height;
  // What lies so far inside that it replaces what is under it, in whole 2x2 samples.
  const innerX = (l.x + (l.softLeft ? l.softEdge : 0) + 1) & ~1;
  const innerY = (l.y + (l.softTop ? l.softEdge : 0) + 1) & ~1;
  const innerEndX = (endX - (l.softRight ? l.softEdge : 0)) & ~1;
  const innerEndY = (endY - (l.softBottom ? l.softEdge : 0)) & ~1;
  for (let y = l.y & ~1; y < endY; y += 2) {
    const isInner = y >= innerY && y < innerEndY;
    for (let x = l.x & ~1; x < endX; ) {
      if (isInner && x >= innerX && x + 8 <= innerEndX) {
        placeEight(l, x, y);
        x += 8;
      } else {
        placeFour(l, x, y);
        x += 2;
      }
    }
  }
}

@inline
function pixelAt(l: ColourLayout, x: i32, y: i32): usize {
  return l.pixels + ((y - l.y) * l.width + (x - l.x)) * 3;
}

@inline
function weigh(four: v128, weights: usize): v128 {
  const rg = i8x16.swizzle(four, v128.load(PAIRS));
  const b = i8x16.swizzle(four, v128.load(PAIRS, 16));
  return i32x4.add(
    i32x4.dot_i16x8_s(rg, v128.load(weights)),
    i32x4.dot_i16x8_s(b, v128.load(weights, 16)),
  );
}

@inline
function lumaOf(four: v128): v128 {
  return i32x4.shr_s(i32x4.add(weigh(four, WEIGHTS), i32x4.splat(LUMA_OFFSET)), 15);
}

/** Chroma of 8x2 samples, as 4 sums. */
@inline
function chromaOf(a: v128, b: v128, c: v128, d: v128, weights: usize): v128 {
  const left = i32x4.add(weigh(a, weights), weigh(c, weights));
  const right = i32x4.add(weigh(b, weights), weigh(d, weights));
  const sums = i32x4.add(
    i32x4.shuffle(left, right, 0, 2, 4, 6),
    i32x4.shuffle(left, right, 1, 3, 5, 7),
  );
  return i32x4.shr_s(i32x4.add(sums, i32x4.splat(CHROMA_OFFSET)), 17);
}

/** 8x2 samples that replace what is there. */
function placeEight(l: ColourLayout, x: i32, y: i32): void {
  const from = pixelAt(l, x, y);
  const below = from + l.width * 3;
  const a = v128.load(from);
  const b = v128.load(from, 12);
  const c = v128.load(below);
  const d = v128.load(below, 12);
  const to = <usize>l.planeY + y * l.stride + x;
  const upper = i16x8.narrow_i32x4_s(lumaOf(a), lumaOf(b));
  const lower = i16x8.narrow_i32x4_s(lumaOf(c), lumaOf(d));
  const rows = i8x16.narrow_i16x8_u(upper, lower);
  v128.store64_lane(to, rows, 0);
  v128.store64_lane(to + l.stride, rows, 1);
  const half = <usize>(y >> 1) * (l.stride >> 1) + (x >> 1);
  const u = chromaOf(a, b, c, d, WEIGHTS + 32);
  const v = chromaOf(a, b, c, d, WEIGHTS + 64);
  const both = i16x8.narrow_i32x4_s(u, v);
  const bytes = i8x16.narrow_i16x8_u(both, both);
  v128.store32_lane(<usize>l.planeU + half, bytes, 0);
  v128.store32_lane(<usize>l.planeV + half, bytes, 1);
}

/** Share of the mouth in 256ths, as `../patch.ts` has it; 0 outside. */
function weightAt(l: ColourLayout, x: i32, y: i32): i32 {
  const left = x - l.x;
  const top = y - l.y;
  const right = l.width - 1 - left;
  const bottom = l.height - 1 - top;
  if (left < 0 || top < 0 || right < 0 || bottom < 0) return 0;
  let distance = l.softEdge;
  if (l.softLeft) distance = min(distance, left);
  if (l.softTop) distance = min(distance, top);
  if (l.softRight) distance = min(distance, right);
  if (l.softBottom) distance = min(distance, bottom);
  if (distance >= l.softEdge) return FULL;
  return ((2 * distance + 1) * (FULL / 2)) / l.softEdge;
}

/** 2x2 samples, each with its own weight. */
function placeFour(l: ColourLayout, x: i32, y: i32): void {
  let total = 0;
  let reds = 0;
  let greens = 0;
  let blues = 0;
  for (let dy = 0; dy < 2; dy++) {
    for (let dx = 0; dx < 2; dx++) {
      const weight = weightAt(l, x + dx, y + dy);
      if (weight == 0) continue;
      const from = pixelAt(l, x + dx, y + dy);
      const red = <i32>load<u8>(from);
      const green = <i32>load<u8>(from, 1);
      const blue = <i32>load<u8>(from, 2);
      const luma = (RED_Y * red + GREEN_Y * green + BLUE_Y * blue + LUMA_OFFSET) >> 15;
      const to = <usize>l.planeY + (y + dy) * l.stride + x + dx;
      const under = <i32>load<u8>(to);
      store<u8>(to, <u8>((under * (FULL - weight) + luma * weight + FULL / 2) >> 8));
      total += weight;
      reds += weight * red;
      greens += weight * green;
      blues += weight * blue;
    }
  }
  const at = <usize>(y >> 1) * (l.stride >> 1) + (x >> 1);
  const u = <i64>RED_U * reds + <i64>GREEN_U * greens + <i64>BLUE_U * blues;
  const v = <i64>RED_V * reds + <i64>GREEN_V * greens + <i64>BLUE_V * blues;
  mix(<usize>l.planeU + at, u, total);
  mix(<usize>l.planeV + at, v, total);
}

/** @param sum of the weighted chroma in 2^23rds of a quarter @param total of the weights, up to 4 x 256 */
@inline
function mix(at: usize, sum: i64, total: i32): void {
  const under = <i64>load<u8>(at) * (4 * FULL - total);
  const value = (sum + ((under + 128 * <i64>total) << 15) + (1 << 24)) >> 25;
  store<u8>(at, <u8>min(max(value, 0), 255));
}
