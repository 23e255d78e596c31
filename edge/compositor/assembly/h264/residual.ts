// From a prediction to levels, and to what they reconstruct.
import {
  CHROMA_COUNTS,
  CHROMA_ROW,
  countAround,
  countGrid,
  gridAt,
  ROW,
} from "./neighbours";
import { MbRecord } from "./planes";
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
  INTER_ROUNDING,
  INTRA_ROUNDING,
  quantiseBlock,
  quantiseDc,
  setQuantiser,
} from "./quantise";
import { chromaQp } from "./quantisation-tables";
import {
  pairIndex,
  reconstructBlock,
  reconstructChroma,
  reconstructInter,
  reconstructIntra16,
  ZIGZAG,
} from "./reconstruct";
import { refineLevels } from "./refine";
import { forwardPair, hadamard16, PAIR } from "./transform";

/** Rounding of levels that are then chosen by their cost. */
const REFINED_ROUNDING: i32 = 26;

/** Whether levels are chosen by their cost. */
let isRefining = false;
/** int32 [4, 4] */
const dcs = memory.data(64, 16);
/** int16 [4]: of the blocks of a chroma plane */
const chromaDcs = memory.data(16, 16);

export function setRefining(value: bool): void {
  isRefining = value;
}

@inline
function roundingOf(isIntra: bool): i32 {
  return isRefining ? REFINED_ROUNDING : isIntra ? INTRA_ROUNDING : INTER_ROUNDING;
}

@inline
function maskAt(block: usize): usize {
  return LUMA_MASKS + 2 * block;
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
      else pattern |= 1 << <u32>quarter;
    }
  }
  reconstructInter(pattern);
  return <u8>pattern;
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
  reconstructIntra16();
  return any != 0 ? 15 : 0;
}

/** DC of Intra_16x16, which `dcs` hold. */
function codeDc(): void {
  hadamard16(dcs);
  let mask: u32 = 0;
  for (let i: usize = 0; i < 16; i++) {
    const place = dcs + 4 * <usize>load<u8>(ZIGZAG + i);
    const level = quantiseDc(load<i32>(place), 2, isRefining ? 24 : INTRA_ROUNDING);
    store<i16>(DC_LEVELS + 2 * i, <i16>level);
    if (level != 0) mask |= 1 << <u32>i;
  }
  store<u16>(DC_MASK, <u16>mask);
}

/** A block of Intra_4x4, whose prediction is in place. @param index in the order of Figure 6-10 */
export function codeIntra4Block(index: usize, x: usize, y: usize, qp: i32): void {
  setQuantiser(qp, roundingOf(true));
  const at = y * 64 + x * 4;
  forwardPair(SOURCE + at, PREDICTION + at, 16);
  quantiseLuma(PAIR, index, x, y, true, qp);
  reconstructBlock(index, x, y);
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
  }
  // One small level alone is not worth its bits.
  if (anyAc == 1) anyAc = 0;
  if (anyAc == 0) dropChroma();
  const kind: u8 = anyAc != 0 ? 2 : anyDc != 0 ? 1 : 0;
  reconstructChroma(kind);
  return kind;
}

/** @returns the sum of the levels' sizes */
function quantiseChroma(plane: usize, block: usize, coefficients: usize, qp: i32): i32 {
  const index: usize = 4 * plane + block;
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
  return mask;
}

function dropChroma(): void {
  v128.store(CHROMA_MASKS, i64x2.splat(0));
  for (let plane: usize = 0; plane < 2; plane++) {
    const grid = countGrid + CHROMA_COUNTS + 12 * plane;
    store<u16>(grid + 5, 0);
    store<u16>(grid + 5 + CHROMA_ROW, 0);
  }
}

/** The pattern goes into the record. */
@inline
export function setPattern(luma: u8, chroma: u8): void {
  store<u8>(CANDIDATE, luma | (chroma << 4), offsetof<MbRecord>("pattern"));
}
