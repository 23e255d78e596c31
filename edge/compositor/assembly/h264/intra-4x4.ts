// Intra_4x4 prediction (ITU-T H.264, 8.3.1.2). The thirteen neighbours are put
// in a row first: from the lowest at the left, L..I, over the corner M, to the
// last above at the right, H. Every diagonal is then a step along that row.

/** Intra4x4PredMode (Table 8-2). */
export const VERTICAL: i32 = 0;
export const HORIZONTAL: i32 = 1;
export const DC: i32 = 2;
export const DOWN_LEFT: i32 = 3;
export const DOWN_RIGHT: i32 = 4;
export const VERTICAL_RIGHT: i32 = 5;
export const HORIZONTAL_DOWN: i32 = 6;
export const VERTICAL_LEFT: i32 = 7;
export const HORIZONTAL_UP: i32 = 8;

/** u8 [16]: L K J I M A B C D E F G H, and H again. */
const edge = memory.data(32, 16);
/** u8 [16]: (a + 2 b + c + 2) >> 2 around each place of `edge`, and (a + b + 1) >> 1 from each on. */
const smooth = memory.data(32, 16);
const halves = memory.data(32, 16);
const CORNER: usize = 4;
let hasLeftEdge = false;
let hasAboveEdge = false;
let hasCornerSample = false;

/** Which modes the neighbours allow, a bit per mode. */
export function allowedModes(): i32 {
  if (hasLeftEdge && hasAboveEdge) {
    const needCorner = (1 << DOWN_RIGHT) | (1 << VERTICAL_RIGHT) | (1 << HORIZONTAL_DOWN);
    return hasCornerSample ? 0x1ff : 0x1ff & ~needCorner;
  }
  if (hasAboveEdge) return (1 << VERTICAL) | (1 << DC) | (1 << DOWN_LEFT) | (1 << VERTICAL_LEFT);
  if (hasLeftEdge) return (1 << HORIZONTAL) | (1 << DC) | (1 << HORIZONTAL_UP);
  return 1 << DC;
}

/**
 * Gathers the neighbours of a block.
 * @param at its first sample
 * @param hasCorner may be missing where left and above are there: above a slice's second row
 */
export function gatherEdge(
  at: usize,
  stride: usize,
  hasLeft: bool,
  hasAbove: bool,
  hasCorner: bool,
  hasAboveRight: bool,
): void {
  hasCornerSample = hasCorner;
  hasLeftEdge = hasLeft;
  hasAboveEdge = hasAbove;
  if (hasLeft) {
    store<u8>(edge, load<u8>(at + 3 * stride - 1));
    store<u8>(edge, load<u8>(at + 2 * stride - 1), 1);
    store<u8>(edge, load<u8>(at + stride - 1), 2);
    store<u8>(edge, load<u8>(at - 1), 3);
  }
  if (hasAbove) {
    const above = at - stride;
    store<u8>(edge, load<u8>(above - 1), 4);
    store<u32>(edge, load<u32>(above), 5);
    // Where there is nothing above to the right, D goes on (8.3.1.2).
    const right = hasAboveRight
      ? load<u32>(above + 4)
      : <u32>load<u8>(above + 3) * 0x01010101;
    store<u32>(edge, right, 9);
    store<u8>(edge, <u8>(right >> 24), 13);
  }
  const here = v128.load(edge);
  const next = v128.load(edge, 1);
  const later = v128.load(edge, 2);
  v128.store(halves, i8x16.avgr_u(here, next));
  // (a + 2 b + c + 2) >> 2 is the rounded mean of b and the truncated mean of a and c.
  const odd = v128.and(v128.xor(here, later), i8x16.splat(1));
  const mean = i8x16.sub(i8x16.avgr_u(here, later), odd);
  v128.store(smooth, i8x16.avgr_u(mean, next), 1);
}

/** @param out rows of 4 samples, `stride` bytes apart */
export function predictBlock(mode: i32, out: usize, stride: usize): void {
  const above = edge + CORNER + 1;
  let r0: u32 = 0;
  let r1: u32 = 0;
  let r2: u32 = 0;
  let r3: u32 = 0;
  if (mode == VERTICAL) {
    r0 = r1 = r2 = r3 = load<u32>(above);
  } else if (mode == HORIZONTAL) {
    r0 = <u32>load<u8>(edge, 3) * 0x01010101;
    r1 = <u32>load<u8>(edge, 2) * 0x01010101;
    r2 = <u32>load<u8>(edge, 1) * 0x01010101;
    r3 = <u32>load<u8>(edge) * 0x01010101;
  } else if (mode == DC) {
    r0 = r1 = r2 = r3 = mean() * 0x01010101;
  } else if (mode == DOWN_LEFT) {
    // The last has (G + 3 H + 2) >> 2, which is what H beyond the end gives.
    const from = smooth + CORNER + 2;
    r0 = load<u32>(from);
    r1 = load<u32>(from, 1);
    r2 = load<u32>(from, 2);
    r3 = load<u32>(from, 3);
  } else if (mode == DOWN_RIGHT) {
    const from = smooth + CORNER;
    r0 = load<u32>(from);
    r1 = load<u32>(from - 1);
    r2 = load<u32>(from - 2);
    r3 = load<u32>(from - 3);
  } else if (mode == VERTICAL_RIGHT) {
    r0 = load<u32>(halves + CORNER);
    r1 = load<u32>(smooth + CORNER);
    r2 = (r0 << 8) | load<u8>(smooth, CORNER - 1);
    r3 = (r1 << 8) | load<u8>(smooth, CORNER - 2);
  } else if (mode == HORIZONTAL_DOWN) {
    // zHD from 6 to -3: pairs of a half and a smoothed sample, then smoothed ones above.
    const h0 = <u32>load<u8>(halves, 3);
    const h1 = <u32>load<u8>(halves, 2);
    const h2 = <u32>load<u8>(halves, 1);
    const h3 = <u32>load<u8>(halves);
    const s0 = <u32>load<u8>(smooth, 4);
    const s1 = <u32>load<u8>(smooth, 3);
    const s2 = <u32>load<u8>(smooth, 2);
    const s3 = <u32>load<u8>(smooth, 1);
    r0 = h0 | (s0 << 8) | (<u32>load<u16>(smooth, 5) << 16);
    r1 = h1 | (s1 << 8) | (h0 << 16) | (s0 << 24);
    r2 = h2 | (s2 << 8) | (h1 << 16) | (s1 << 24);
    r3 = h3 | (s3 << 8) | (h2 << 16) | (s2 << 24);
  } else if (mode == VERTICAL_LEFT) {
    r0 = load<u32>(halves + CORNER + 1);
    r1 = load<u32>(smooth + CORNER + 2);
    r2 = load<u32>(halves + CORNER + 2);
    r3 = load<u32>(smooth + CORNER + 3);
  } else {
    const i = <u32>load<u8>(edge, 3);
    const j = <u32>load<u8>(edge, 2);
    const k = <u32>load<u8>(edge, 1);
    const l = <u32>load<u8>(edge);
    const ij = (i + j + 1) >> 1;
    const ijk = (i + 2 * j + k + 2) >> 2;
    const jk = (j + k + 1) >> 1;
    const jkl = (j + 2 * k + l + 2) >> 2;
    const kl = (k + l + 1) >> 1;
    const kll = (k + 3 * l + 2) >> 2;
    r0 = ij | (ijk << 8) | (jk << 16) | (jkl << 24);
    r1 = jk | (jkl << 8) | (kl << 16) | (kll << 24);
    r2 = kl | (kll << 8) | (l << 16) | (l << 24);
    r3 = l * 0x01010101;
  }
  store<u32>(out, r0);
  store<u32>(out + stride, r1);
  store<u32>(out + 2 * stride, r2);
  store<u32>(out + 3 * stride, r3);
}

/** Intra_4x4_DC (8.3.1.2.3). */
function mean(): u32 {
  let sum: u32 = 0;
  if (hasLeftEdge) for (let i: usize = 0; i < 4; i++) sum += load<u8>(edge + i);
  if (hasAboveEdge) for (let i: usize = 5; i < 9; i++) sum += load<u8>(edge + i);
  if (hasLeftEdge && hasAboveEdge) return (sum + 4) >> 3;
  return hasLeftEdge || hasAboveEdge ? (sum + 2) >> 2 : 128;
}
