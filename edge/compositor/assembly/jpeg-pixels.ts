// RGB to the samples of one MCU: full-range Y, Cb and Cr (JFIF 1.02; BT.601),
// chroma averaged over 2x2 pixels where it is subsampled.
//
// Samples are not rounded to integers: they stay exact multiples of 2^-15, or
// of 2^-17 for averaged chroma, and the transform takes them as such. The scale
// is divided out by the quantisation (`./jpeg-tables.ts`).

/** By how much samples are too large. */
export const FULL_SCALE: f64 = 32768;
export const AVERAGED_SCALE: f64 = 4 * FULL_SCALE;

// Vectors are loaded where they are needed: with `v128.const` in their place, here
// and in the transform, a splice takes a third longer in V8 (Node 24, x64).

/** 4 RGB pixels to 4 pairs of int16: red and green; then blue and 0. */
const PAIRS = memory.data<i8>([
  0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1,
  2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1,
], 16);

/**
 * For each of Y, Cb and Cr what red and green are multiplied with, then blue and
 * what stands beside it, in 32768ths. Of luma they add up to 1, of chroma to 0.
 */
const WEIGHTS = memory.data<i16>([
  9798, 19235, 9798, 19235, 9798, 19235, 9798, 19235,
  3735, -32768, 3735, -32768, 3735, -32768, 3735, -32768,
  -5529, -10855, -5529, -10855, -5529, -10855, -5529, -10855,
  16384, 0, 16384, 0, 16384, 0, 16384, 0,
  16384, -13720, 16384, -13720, 16384, -13720, 16384, -13720,
  -2664, 0, -2664, 0, -2664, 0, -2664, 0,
], 16);

/** What stands beside blue for luma: half of the range, which is taken off. */
const MIDDLE = memory.data<i16>([0, 128, 0, 128, 0, 128, 0, 128], 16);

/** Bytes of a block of 8x8 float32 samples. */
export const SAMPLE_BLOCK_BYTES: usize = 256;

/** Up to 6 blocks of samples: Y in reading order, then Cb and Cr. float32 [8, 8] each. */
export const samples = memory.data(6 * 256, 16);

/**
 * Repeats the last column and row of the part of a picture that lies inside the
 * frame, as libjpeg does: what fills an MCU up costs few bits then.
 * @param pixels 8-bit RGB [height, width, 3]
 */
export function extendEdges(
  pixels: usize,
  width: i32,
  height: i32,
  insideWidth: i32,
  insideHeight: i32,
): void {
  const stride = <usize>width * 3;
  if (insideWidth < width) {
    for (let y = 0; y < insideHeight; y++) {
      const row = pixels + <usize>y * stride;
      const last = row + <usize>(insideWidth - 1) * 3;
      for (let to = last + 3; to < row + stride; to++) store<u8>(to, load<u8>(to - 3));
    }
  }
  const lastRow = pixels + <usize>(insideHeight - 1) * stride;
  for (let y = insideHeight; y < height; y++) {
    memory.copy(pixels + <usize>y * stride, lastRow, stride);
  }
}

/** 8x8 pixels to 3 blocks. @param stride bytes from row to row */
export function takeFullMcu(pixels: usize, stride: usize): void {
  for (let y: usize = 0; y < 8; y++) {
    for (let x: usize = 0; x < 8; x += 4) {
      const four = v128.load(pixels + y * stride + x * 3);
      const rg = redGreen(four);
      const b = blue(four);
      const out = samples + y * 32 + x * 4;
      v128.store(out, luma(rg, b));
      v128.store(out, blueChroma(rg, b), SAMPLE_BLOCK_BYTES);
      v128.store(out, redChroma(rg, b), 2 * SAMPLE_BLOCK_BYTES);
    }
  }
}

/** 16x16 pixels to 6 blocks. @param stride bytes from row to row */
export function takeAveragedMcu(pixels: usize, stride: usize): void {
  for (let y: usize = 0; y < 16; y += 2) {
    for (let x: usize = 0; x < 16; x += 8) {
      const at = pixels + y * stride + x * 3;
      const out = samples + ((y >> 3) * 2 + (x >> 3)) * SAMPLE_BLOCK_BYTES + (y & 7) * 32;
      const a = v128.load(at);
      const b = v128.load(at, 12);
      const c = v128.load(at + stride);
      const d = v128.load(at + stride, 12);
      const aRg = redGreen(a);
      const aB = blue(a);
      v128.store(out, luma(aRg, aB));
      const bRg = redGreen(b);
      const bB = blue(b);
      v128.store(out, luma(bRg, bB), 16);
      const cRg = redGreen(c);
      const cB = blue(c);
      v128.store(out, luma(cRg, cB), 32);
      const dRg = redGreen(d);
      const dB = blue(d);
      v128.store(out, luma(dRg, dB), 48);
      // The conversion is linear: averaging the pixels is averaging the chroma.
      const rg = addPairs(i16x8.add(aRg, cRg), i16x8.add(bRg, dRg));
      const blues = addPairs(i16x8.add(aB, cB), i16x8.add(bB, dB));
      const chroma = samples + 4 * SAMPLE_BLOCK_BYTES + (y >> 1) * 32 + (x >> 1) * 4;
      v128.store(chroma, blueChroma(rg, blues));
      v128.store(chroma, redChroma(rg, blues), SAMPLE_BLOCK_BYTES);
    }
  }
}

@inline
function redGreen(four: v128): v128 {
  return i8x16.swizzle(four, v128.load(PAIRS));
}

@inline
function blue(four: v128): v128 {
  return i8x16.swizzle(four, v128.load(PAIRS, 16));
}

/** Sums of neighbouring pixels of 8. */
@inline
function addPairs(left: v128, right: v128): v128 {
  const even = i32x4.shuffle(left, right, 0, 2, 4, 6);
  const odd = i32x4.shuffle(left, right, 1, 3, 5, 7);
  return i16x8.add(even, odd);
}

/** 0.299 R + 0.587 G + 0.114 B - 128 */
@inline
function luma(rg: v128, b: v128): v128 {
  return weigh(rg, v128.or(b, v128.load(MIDDLE)), WEIGHTS);
}

/** -0.168736 R - 0.331264 G + 0.5 B */
@inline
function blueChroma(rg: v128, b: v128): v128 {
  return weigh(rg, b, WEIGHTS + 32);
}

/** 0.5 R - 0.418688 G - 0.081312 B */
@inline
function redChroma(rg: v128, b: v128): v128 {
  return weigh(rg, b, WEIGHTS + 64);
}

/** Every sum is below 2^24, so float32 has it exactly. */
@inline
function weigh(rg: v128, b: v128, weights: usize): v128 {
  const first = i32x4.dot_i16x8_s(rg, v128.load(weights));
  const second = i32x4.dot_i16x8_s(b, v128.load(weights, 16));
  return f32x4.convert_i32x4_s(i32x4.add(first, second));
}
