// Intra prediction of a whole macroblock: Intra_16x16 (ITU-T H.264, 8.3.3) and
// chroma (8.3.4). Neighbours are read where they lie in the plane.

/** Intra16x16PredMode (Table 8-4). */
export const WHOLE_VERTICAL: i32 = 0;
export const WHOLE_HORIZONTAL: i32 = 1;
export const WHOLE_DC: i32 = 2;
export const WHOLE_PLANE: i32 = 3;

/** intra_chroma_pred_mode (Table 7-16). */
export const CHROMA_DC_MODE: i32 = 0;
export const CHROMA_HORIZONTAL: i32 = 1;
export const CHROMA_VERTICAL: i32 = 2;
export const CHROMA_PLANE: i32 = 3;

/**
 * @param at the macroblock's first sample in the plane
 * @param out [16, 16] without gaps
 */
export function predictWhole(
  mode: i32,
  at: usize,
  stride: usize,
  hasLeft: bool,
  hasAbove: bool,
  out: usize,
): void {
  if (mode == WHOLE_VERTICAL) {
    const row = v128.load(at - stride);
    for (let y: usize = 0; y < 16; y++) v128.store(out + y * 16, row);
  } else if (mode == WHOLE_HORIZONTAL) {
    for (let y: usize = 0; y < 16; y++) {
      v128.store(out + y * 16, i8x16.splat(load<u8>(at + y * stride - 1)));
    }
  } else if (mode == WHOLE_DC) {
    let sum = 0;
    if (hasAbove) for (let x: usize = 0; x < 16; x++) sum += <i32>load<u8>(at - stride + x);
    if (hasLeft) for (let y: usize = 0; y < 16; y++) sum += <i32>load<u8>(at + y * stride - 1);
    const dc = hasAbove && hasLeft ? (sum + 16) >> 5 : hasAbove || hasLeft ? (sum + 8) >> 4 : 128;
    const row = i8x16.splat(<i8>dc);
    for (let y: usize = 0; y < 16; y++) v128.store(out + y * 16, row);
  } else {
    predictPlane(at, stride, 16, out);
  }
}

/** Intra_16x16_Plane (8.3.3.4) and Intra_Chroma_Plane (8.3.4.4), of `size` 16 or 8. */
function predictPlane(at: usize, stride: usize, size: i32, out: usize): void {
  const half = size >> 1;
  const above = at - stride;
  const left = at - 1;
  let h = 0;
  let v = 0;
  for (let i = 1; i <= half; i++) {
    h += i * (<i32>load<u8>(above + half - 1 + i) - <i32>load<u8>(above + half - 1 - i));
    v +=
      i *
      (<i32>load<u8>(left + <usize>(half - 1 + i) * stride) -
        <i32>load<u8>(left + <usize>(half - 1 - i) * stride));
  }
  const b = size == 16 ? (5 * h + 32) >> 6 : (17 * h + 16) >> 5;
  const c = size == 16 ? (5 * v + 32) >> 6 : (17 * v + 16) >> 5;
  const corner =
    <i32>load<u8>(above + size - 1) + <i32>load<u8>(left + <usize>(size - 1) * stride);
  let start = 16 * corner - (half - 1) * (b + c) + 16;
  const ramp = i16x8.mul(i16x8(0, 1, 2, 3, 4, 5, 6, 7), i16x8.splat(<i16>b));
  const second = i16x8.splat(<i16>(8 * b));
  for (let y = 0; y < size; y++, start += c, out += size) {
    // At most 16 * 510 + 8 * (717 + 717) + 16: 16 bits are enough.
    const low = i16x8.add(ramp, i16x8.splat(<i16>start));
    const first = i16x8.shr_s(low, 5);
    if (size == 16) {
      const high = i16x8.shr_s(i16x8.add(low, second), 5);
      v128.store(out, i8x16.narrow_i16x8_u(first, high));
    } else {
      v128.store64_lane(out, i8x16.narrow_i16x8_u(first, first), 0);
    }
  }
}

/** @param out [8, 8] without gaps */
export function predictChroma(
  mode: i32,
  at: usize,
  stride: usize,
  hasLeft: bool,
  hasAbove: bool,
  out: usize,
): void {
  if (mode == CHROMA_VERTICAL) {
    const row = load<u64>(at - stride);
    for (let y: usize = 0; y < 8; y++) store<u64>(out + y * 8, row);
  } else if (mode == CHROMA_HORIZONTAL) {
    for (let y: usize = 0; y < 8; y++) {
      store<u64>(out + y * 8, <u64>load<u8>(at + y * stride - 1) * 0x0101010101010101);
    }
  } else if (mode == CHROMA_PLANE) {
    predictPlane(at, stride, 8, out);
  } else {
    predictChromaDc(at, stride, hasLeft, hasAbove, out);
  }
}

/** Each quarter has its own mean (8.3.4.1 to 8.3.4.3). */
function predictChromaDc(
  at: usize,
  stride: usize,
  hasLeft: bool,
  hasAbove: bool,
  out: usize,
): void {
  const above0 = hasAbove ? sumRow(at - stride) : -1;
  const above1 = hasAbove ? sumRow(at - stride + 4) : -1;
  const left0 = hasLeft ? sumColumn(at - 1, stride) : -1;
  const left1 = hasLeft ? sumColumn(at + 4 * stride - 1, stride) : -1;
  fillQuarter(out, meanOf(above0, left0));
  // Of the quarters beside the corner, one side alone where it is there.
  fillQuarter(out + 4, hasAbove ? meanOf(above1, -1) : meanOf(-1, left0));
  fillQuarter(out + 32, hasLeft ? meanOf(-1, left1) : meanOf(above0, -1));
  fillQuarter(out + 36, meanOf(above1, left1));
}

@inline
function meanOf(a: i32, b: i32): u32 {
  if (a >= 0 && b >= 0) return (a + b + 4) >> 3;
  if (a >= 0) return (a + 2) >> 2;
  return b >= 0 ? (b + 2) >> 2 : 128;
}

function sumRow(at: usize): i32 {
  return (
    <i32>load<u8>(at) + <i32>load<u8>(at, 1) + <i32>load<u8>(at, 2) + <i32>load<u8>(at, 3)
  );
}

function sumColumn(at: usize, stride: usize): i32 {
  return (
    <i32>load<u8>(at) +
    <i32>load<u8>(at + stride) +
    <i32>load<u8>(at + 2 * stride) +
    <i32>load<u8>(at + 3 * stride)
  );
}

function fillQuarter(out: usize, value: u32): void {
  for (let y: usize = 0; y < 4; y++) store<u32>(out + y * 8, value * 0x01010101);
}
