// From a prediction to levels, and from levels to the reconstruction that every
// decoder has (ITU-T H.264, 8.5).
import {
  CHROMA_COUNTS,
  CHROMA_ROW,
  countAround,
  countGrid,
  gridAt,
  mbX,
  mbY,
  ROW,
} from "./neighbours";
import {
  chromaStride,
  currentU,
  currentV,
  currentY,
  lumaStride,
  MbRecord,
} from "./planes";
import {
  CANDIDATE,
  CHROMA_AT,
  CHROMA_DC_LEVELS,
  CHROMA_DC_MASKS,
  CHROMA_LEVELS,
  CHROMA_MASKS,
  DC_LEVELS,
  DC_MASK,
  LUMA_LEVELS,
  LUMA_MASKS,
  PREDICTION,
  SOURCE,
} from "./macroblock-state";
import {
  dcScale,
  INTER_ROUNDING,
  INTRA_ROUNDING,
  quantiseBlock,
  quantiseDc,
  scaleBlock,
  setQuantiser,
} from "./quantise";
import { chromaQp } from "./quantisation-tables";
import { refineLevels } from "./refine";
import { copyRows, forwardPair, hadamard16, inversePair, PAIR } from "./transform";

/** Rounding of levels that are then chosen by their cost. */
const REFINED_ROUNDING: i32 = 26;

/** Whether levels are chosen by their cost. */
let isRefining = false;
/** int32 [4, 4] */
const dcs = memory.data(64, 16);
/** int16 [4]: of the blocks of a chroma plane */
const chromaDcs = memory.data(16, 16);
/** int16 [2, 4]: the same as they come back */
const CHROMA_SCALED = memory.data(16, 16);
/** A pair, of which the left block is wanted. */
const block8 = memory.data(32, 16);
const ZIGZAG = memory.data<u8>([0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15], 16);

export function setRefining(value: bool): void {
  isRefining = value;
}

@inline
function roundingOf(isIntra: bool): i32 {
  return isRefining ? REFINED_ROUNDING : isIntra ? INTRA_ROUNDING : INTER_ROUNDING;
}

@inline
function lumaAt(x: usize, y: usize): usize {
  return currentY + (<usize>mbY * 16 + y) * lumaStride + <usize>mbX * 16 + x;
}

@inline
function maskAt(block: usize): usize {
  return LUMA_MASKS + 2 * block;
}

/** Index of the block at an even column and a row, in the order of Figure 6-10. */
@inline
function pairIndex(x: usize, y: usize): usize {
  return ((y & 1) << 1) | ((x & 2) << 1) | ((y & 2) << 2);
}

function quantiseLuma(coefficients: usize, block: usize, x: usize, y: usize, hasDc: bool, qp: i32): u32 {
  const levels = LUMA_LEVELS + 32 * block;
  let mask = quantiseBlock(coefficients, levels, hasDc);
  const at = gridAt(x, y);
  if (isRefining && mask != 0) {
    const nC = countAround(at, ROW);
    mask = hasDc
      ? refineLevels(coefficients, levels, mask, 16, nC, qp)
      : refineLevels(coefficients, levels + 2, mask >> 1, 15, nC, qp) << 1;
  }
  store<u16>(maskAt(block), <u16>mask);
  store<u8>(countGrid + at, <u8>popcnt<u32>(mask));
  return mask;
}

/** Whether a quarter's levels are so few that leaving them out costs less than coding them. */
function isNegligible(quarter: usize): bool {
  const masks = load<u64>(maskAt(4 * quarter));
  if (masks == 0) return true;
  // One level alone, which is neither DC nor larger than one.
  if (popcnt<u64>(masks) != 1 || (masks & 0x0001000100010001) != 0) return false;
  const place = <usize>ctz<u64>(masks);
  const level = load<i16>(LUMA_LEVELS + 128 * quarter + ((place >> 4) << 5) + ((place & 15) << 1));
  return level == 1 || level == -1;
}

function dropQuarter(quarter: usize): void {
  const x = (quarter & 1) << 1;
  const y = quarter & 2;
  store<u64>(maskAt(4 * quarter), 0);
  store<u16>(countGrid + gridAt(x, y), 0);
  store<u16>(countGrid + gridAt(x, y + 1), 0);
}

/** Luma of an inter macroblock, whose prediction is in place. @returns pattern bits 0 to 3 */
export function codeInterLuma(qp: i32): u8 {
  setQuantiser(qp, roundingOf(false));
  let any: u32 = 0;
  for (let y: usize = 0; y < 4; y++) {
    for (let x: usize = 0; x < 4; x += 2) {
      const at = y * 64 + x * 4;
      forwardPair(SOURCE + at, PREDICTION + at, 16);
      const block = pairIndex(x, y);
      any |= quantiseLuma(PAIR, block, x, y, true, qp);
      any |= quantiseLuma(PAIR + 32, block + 1, x + 1, y, true, qp);
    }
  }
  let pattern: u32 = 0;
  if (any != 0) {
    for (let quarter: usize = 0; quarter < 4; quarter++) {
      if (isNegligible(quarter)) dropQuarter(quarter);
      else pattern |= 1 << quarter;
    }
  }
  reconstructInter(pattern);
  return <u8>pattern;
}

function reconstructInter(pattern: u32): void {
  if (pattern == 0) {
    copyRows(PREDICTION, 16, lumaAt(0, 0), lumaStride, 16);
    copyRows(PREDICTION + 8, 16, lumaAt(8, 0), lumaStride, 16);
    return;
  }
  for (let y: usize = 0; y < 4; y++) {
    for (let x: usize = 0; x < 4; x += 2) {
      const block = pairIndex(x, y);
      const at = PREDICTION + y * 64 + x * 4;
      const to = lumaAt(4 * x, 4 * y);
      if (load<u32>(maskAt(block)) == 0) {
        copyRows(at, 16, to, lumaStride, 4);
        continue;
      }
      scaleBlock(LUMA_LEVELS + 32 * block, PAIR);
      scaleBlock(LUMA_LEVELS + 32 * block + 32, PAIR + 32);
      inversePair(at, 16, to, lumaStride);
    }
  }
}

/** Luma of an Intra_16x16 macroblock, whose prediction is in place. @returns pattern bits 0 to 3 */
export function codeIntra16Luma(qp: i32): u8 {
  setQuantiser(qp, roundingOf(true));
  let any: u32 = 0;
  for (let y: usize = 0; y < 4; y++) {
    for (let x: usize = 0; x < 4; x += 2) {
      const at = y * 64 + x * 4;
      forwardPair(SOURCE + at, PREDICTION + at, 16);
      const block = pairIndex(x, y);
      store<i32>(dcs + (y * 4 + x) * 4, <i32>load<i16>(PAIR));
      store<i32>(dcs + (y * 4 + x) * 4, <i32>load<i16>(PAIR, 32), 4);
      any |= quantiseLuma(PAIR, block, x, y, false, qp);
      any |= quantiseLuma(PAIR + 32, block + 1, x + 1, y, false, qp);
    }
  }
  codeDc();
  for (let y: usize = 0; y < 4; y++) {
    for (let x: usize = 0; x < 4; x += 2) {
      const block = pairIndex(x, y);
      scaleBlock(LUMA_LEVELS + 32 * block, PAIR);
      scaleBlock(LUMA_LEVELS + 32 * block + 32, PAIR + 32);
      store<i16>(PAIR, <i16>load<i32>(dcs + (y * 4 + x) * 4));
      store<i16>(PAIR, <i16>load<i32>(dcs + (y * 4 + x) * 4, 4), 32);
      inversePair(PREDICTION + y * 64 + x * 4, 16, lumaAt(4 * x, 4 * y), lumaStride);
    }
  }
  return any != 0 ? 15 : 0;
}

/** DC of Intra_16x16 (8.5.2 and 8.5.10): `dcs` are what they come back as afterwards. */
function codeDc(): void {
  hadamard16(dcs);
  let mask: u32 = 0;
  for (let i: usize = 0; i < 16; i++) {
    const place = dcs + 4 * <usize>load<u8>(ZIGZAG + i);
    const level = quantiseDc(load<i32>(place), 2, isRefining ? 24 : INTRA_ROUNDING);
    store<i16>(DC_LEVELS + 2 * i, <i16>level);
    store<i32>(place, level);
    if (level != 0) mask |= 1 << <u32>i;
  }
  store<u16>(DC_MASK, <u16>mask);
  hadamard16(dcs);
  const scale = dcScale();
  for (let i: usize = 0; i < 16; i++) {
    store<i32>(dcs + 4 * i, (load<i32>(dcs + 4 * i) * scale + 32) >> 6);
  }
}

/** A block of Intra_4x4, whose prediction is in place. @param index in the order of Figure 6-10 */
export function codeIntra4Block(index: usize, x: usize, y: usize, qp: i32): void {
  setQuantiser(qp, roundingOf(true));
  const at = y * 64 + x * 4;
  forwardPair(SOURCE + at, PREDICTION + at, 16);
  const mask = quantiseLuma(PAIR, index, x, y, true, qp);
  const to = lumaAt(4 * x, 4 * y);
  if (mask == 0) {
    for (let row: usize = 0; row < 4; row++) {
      store<u32>(to + row * lumaStride, load<u32>(PREDICTION + at + row * 16));
    }
    return;
  }
  // Pairs are 8 wide: what stands to the right is put back.
  scaleBlock(LUMA_LEVELS + 32 * index, PAIR);
  inversePair(PREDICTION + at, 16, block8, 8);
  for (let row: usize = 0; row < 4; row++) {
    store<u32>(to + row * lumaStride, load<u32>(block8 + row * 8));
  }
}

/** Both planes of chroma, whose prediction is in place. @returns 0, 1 or 2: CodedBlockPatternChroma */
export function codeChroma(lumaQp: i32, isIntra: bool): u8 {
  const qp = chromaQp(lumaQp);
  setQuantiser(qp, roundingOf(isIntra));
  const ofDc = isRefining ? 24 : isIntra ? INTRA_ROUNDING : INTER_ROUNDING + 4;
  let anyDc: u32 = 0;
  let anyAc = 0;
  for (let plane: usize = 0; plane < 2; plane++) {
    const at = CHROMA_AT + 64 * plane;
    for (let y: usize = 0; y < 2; y++) {
      forwardPair(SOURCE + at + 32 * y, PREDICTION + at + 32 * y, 8);
      store<i16>(chromaDcs + 4 * y, load<i16>(PAIR));
      store<i16>(chromaDcs + 4 * y, load<i16>(PAIR, 32), 2);
      anyAc += quantiseChroma(plane, 2 * y, PAIR, qp);
      anyAc += quantiseChroma(plane, 2 * y + 1, PAIR + 32, qp);
    }
    anyDc |= codeChromaDc(plane, ofDc);
    store<u64>(CHROMA_SCALED + 8 * plane, load<u64>(chromaDcs));
  }
  // One small level alone is not worth its bits.
  if (anyAc == 1) anyAc = 0;
  if (anyAc == 0) dropChroma();
  reconstructChroma(0, currentU, anyAc != 0);
  reconstructChroma(1, currentV, anyAc != 0);
  return anyAc != 0 ? 2 : anyDc != 0 ? 1 : 0;
}

/** @returns the sum of the levels' sizes */
function quantiseChroma(plane: usize, block: usize, coefficients: usize, qp: i32): i32 {
  const index = 4 * plane + block;
  const levels = CHROMA_LEVELS + 32 * index;
  let mask = quantiseBlock(coefficients, levels, false);
  const at = CHROMA_COUNTS + 12 * plane + 5 + CHROMA_ROW * (block >> 1) + (block & 1);
  if (isRefining && mask != 0) {
    const nC = countAround(at, CHROMA_ROW);
    mask = refineLevels(coefficients, levels + 2, mask >> 1, 15, nC, qp) << 1;
  }
  store<u16>(CHROMA_MASKS + 2 * index, <u16>mask);
  store<u8>(countGrid + at, <u8>popcnt<u32>(mask));
  let sum = 0;
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    sum += abs(<i32>load<i16>(levels + (<usize>ctz<u32>(rest) << 1)));
  }
  return sum;
}

/** DC of a chroma plane (8.5.4 and 8.5.11). */
function codeChromaDc(plane: usize, roundingShare: i32): u32 {
  const a = <i32>load<i16>(chromaDcs);
  const b = <i32>load<i16>(chromaDcs, 2);
  const c = <i32>load<i16>(chromaDcs, 4);
  const d = <i32>load<i16>(chromaDcs, 6);
  const levels = CHROMA_DC_LEVELS + 16 * plane;
  const p = quantiseDc(a + b + c + d, 1, roundingShare);
  const q = quantiseDc(a - b + c - d, 1, roundingShare);
  const r = quantiseDc(a + b - c - d, 1, roundingShare);
  const s = quantiseDc(a - b - c + d, 1, roundingShare);
  store<i16>(levels, <i16>p);
  store<i16>(levels, <i16>q, 2);
  store<i16>(levels, <i16>r, 4);
  store<i16>(levels, <i16>s, 6);
  const mask = u32(p != 0) | (u32(q != 0) << 1) | (u32(r != 0) << 2) | (u32(s != 0) << 3);
  store<u16>(CHROMA_DC_MASKS + 2 * plane, <u16>mask);
  const scale = dcScale();
  store<i16>(chromaDcs, <i16>(((p + q + r + s) * scale) >> 5));
  store<i16>(chromaDcs, <i16>(((p - q + r - s) * scale) >> 5), 2);
  store<i16>(chromaDcs, <i16>(((p + q - r - s) * scale) >> 5), 4);
  store<i16>(chromaDcs, <i16>(((p - q - r + s) * scale) >> 5), 6);
  return mask;
}

function dropChroma(): void {
  memory.fill(CHROMA_MASKS, 0, 16);
  for (let plane: usize = 0; plane < 2; plane++) {
    const grid = countGrid + CHROMA_COUNTS + 12 * plane;
    store<u16>(grid + 5, 0);
    store<u16>(grid + 5 + CHROMA_ROW, 0);
  }
}

function reconstructChroma(plane: usize, planeAt: usize, hasAc: bool): void {
  const prediction = PREDICTION + CHROMA_AT + 64 * plane;
  const to = planeAt + <usize>mbY * 8 * chromaStride + <usize>mbX * 8;
  const scaled = CHROMA_SCALED + 8 * plane;
  if (!hasAc && load<u64>(scaled) == 0) {
    copyRows(prediction, 8, to, chromaStride, 8);
    return;
  }
  for (let y: usize = 0; y < 2; y++) {
    const levels = CHROMA_LEVELS + 128 * plane + 64 * y;
    if (hasAc) {
      scaleBlock(levels, PAIR);
      scaleBlock(levels + 32, PAIR + 32);
    } else {
      memory.fill(PAIR, 0, 64);
    }
    store<i16>(PAIR, load<i16>(scaled + 4 * y));
    store<i16>(PAIR, load<i16>(scaled + 4 * y, 2), 32);
    inversePair(prediction + 32 * y, 8, to + 4 * y * chromaStride, chromaStride);
  }
}

/** The pattern goes into the record. */
@inline
export function setPattern(luma: u8, chroma: u8): void {
  store<u8>(CANDIDATE, luma | (chroma << 4), offsetof<MbRecord>("pattern"));
}
