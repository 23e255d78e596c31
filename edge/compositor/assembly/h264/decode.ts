// Slices of this coder read back: a session has the published D then, as its
// viewers have it, and can go on from there. What this coder does not write is
// taken for damage.
import {
  alignInput,
  beginInput,
  isAtEnd,
  isDamaged,
  markDamaged,
  takeBits,
  takeBytes,
  takeSe,
  takeUe,
} from "./bit-input";
import { clearCounts, keepRecord, putSamples, takeGrids } from "./candidate";
import { CHROMA_DC } from "./cavlc";
import { patternOf, takeResidual } from "./cavlc-input";
import { deblockSlice } from "./deblock";
import { canSkip, findImplied, predictSkip, recordSkip } from "./inter";
import { allowedModes, predictBlock } from "./intra-4x4";
import { gatherBlockEdge, predictBothChroma } from "./intra";
import { predictWhole, WHOLE_HORIZONTAL, WHOLE_PLANE, WHOLE_VERTICAL } from "./intra-whole";
import {
  blockX,
  blockY,
  CANDIDATE,
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
import { isReachable, predictPart } from "./motion";
import {
  CHROMA_COUNTS,
  CHROMA_ROW,
  countAround,
  countGrid,
  enterMacroblock,
  forgetVectors,
  gatherModes,
  gatherVectors,
  gridAt,
  hasA,
  hasB,
  hasD,
  modeGrid,
  mbX,
  mbY,
  predictedMode,
  predictVector,
  ROW,
  setVector,
  vectorOf,
  vectorX,
  vectorY,
} from "./neighbours";
import {
  currentY,
  INTER_16X16,
  INTER_16X8,
  INTER_8X16,
  INTER_8X8,
  INTRA_16X16,
  INTRA_4X4,
  lumaStride,
  MbRecord,
  PCM,
} from "./planes";
import { setQuantiser } from "./quantise";
import { chromaQp } from "./quantisation-tables";
import {
  reconstructBlock,
  reconstructChroma,
  reconstructInter,
  reconstructIntra16,
} from "./reconstruct";

/** mb_type I_PCM, and where I types begin in P slices (Tables 7-11 and 7-13). */
const I_PCM: u32 = 25;
const INTRA_IN_P: u32 = 5;
const MAX_QP: i32 = 51;

let qp: i32 = 0;
/** Whether only what was decided is wanted, and no samples. */
let isSkimming = false;

/**
 * Decodes a slice.
 * @param at RBSP of `bytes`, and 8 more that may be read
 * @param first address of its first macroblock among those of the coder
 * @param frameNumBits of the sequence parameter set
 * @param initialQp of the picture parameter set
 * @param isSkimmed whether the records are wanted alone, for which no reference is needed
 * @returns whether it was one
 */
export function decodeSlice(
  at: usize,
  bytes: i32,
  first: i32,
  count: i32,
  isIdr: bool,
  frameNumBits: i32,
  initialQp: i32,
  isSkimmed: bool,
): bool {
  isSkimming = isSkimmed;
  beginInput(at, bytes);
  takeUe(); // first_mb_in_slice
  if (takeUe() != (isIdr ? 2 : 0)) return false; // slice_type: I or P
  takeUe(); // pic_parameter_set_id
  takeBits(frameNumBits);
  if (isIdr) {
    takeUe(); // idr_pic_id
    takeBits(2);
  } else {
    takeBits(3);
  }
  qp = initialQp + takeSe();
  const isDeblocked = takeUe() == 2;
  if (isDeblocked) {
    takeSe();
    takeSe();
  }
  if (qp < 0 || qp > MAX_QP) return false;
  let skips = isIdr ? 0 : takeUe();
  for (let mb = first; mb < first + count; mb++) {
    enterMacroblock(mb, first);
    gatherModes();
    if (!isIdr) gatherVectors();
    if (skips > 0) {
      skips--;
      if (!decodeSkip()) return false;
      continue;
    }
    if (isDamaged) return false;
    decodeMacroblock(isIdr ? 0 : INTRA_IN_P);
    if (isDamaged) return false;
    if (!isIdr && !(mb + 1 == first + count && isAtEnd())) skips = takeUe();
  }
  if (skips > 0 || !isAtEnd()) return false;
  if (isDeblocked && !isSkimmed) deblockSlice(first, count);
  return true;
}

function finish(): void {
  takeGrids();
  keepRecord();
}

function decodeSkip(): bool {
  findImplied();
  if (!canSkip) return false;
  if (isSkimming) {
    recordSkip();
  } else {
    predictSkip();
    putSamples(PREDICTION);
  }
  changetype<MbRecord>(CANDIDATE).qp = <u8>qp;
  finish();
  return true;
}

function decodeMacroblock(intraFrom: u32): void {
  const type = takeUe();
  clearCounts(0);
  if (type < intraFrom) {
    decodeInter(type);
  } else if (type == intraFrom + I_PCM) {
    decodePcm();
  } else if (type > intraFrom + I_PCM) {
    markDamaged();
  } else if (type == intraFrom) {
    decodeBlocks();
  } else {
    decodeWhole(type - intraFrom - 1);
  }
  if (!isDamaged) finish();
}

function decodePcm(): void {
  alignInput();
  takeBytes(SOURCE, 384);
  if (!isSkimming) putSamples(SOURCE);
  const record = changetype<MbRecord>(CANDIDATE);
  record.kind = PCM;
  record.qp = 0;
  record.pattern = 0x2f;
  clearCounts(16);
}

// Inter --------------------------------------------------------------------------

function decodeInter(type: u32): void {
  const record = changetype<MbRecord>(CANDIDATE);
  forgetVectors();
  if (type == 0) {
    record.kind = INTER_16X16;
    takePart(0, 0, 4, 4, false);
  } else if (type == 1) {
    record.kind = INTER_16X8;
    takePart(0, 0, 4, 2, true);
    takePart(0, 2, 4, 2, true);
  } else if (type == 2) {
    record.kind = INTER_8X16;
    takePart(0, 0, 2, 4, true);
    takePart(2, 0, 2, 4, true);
  } else {
    record.kind = INTER_8X8;
    // sub_mb_type P_L0_8x8, four times
    if (type != 3 || takeBits(4) != 15) markDamaged();
    for (let quarter: usize = 0; quarter < 4; quarter++) {
      takePart((quarter & 1) << 1, quarter & 2, 2, 2, false);
    }
  }
  if (isDamaged) return;
  takePattern(false);
  if (isSkimming) return;
  setQuantiser(<i32>record.qp, 0);
  reconstructInter(record.pattern & 15);
  setQuantiser(chromaQp(<i32>record.qp), 0);
  reconstructChroma(record.pattern >> 4);
}

/** Reads the vector of a partition and predicts it; all numbers in blocks of 4 samples. */
function takePart(x: usize, y: usize, width: usize, height: usize, isDirectional: bool): void {
  const predicted = predictVector(x, y, width, isDirectional);
  const dx = takeSe();
  const dy = takeSe();
  const vector = vectorOf(vectorX(predicted) + dx, vectorY(predicted) + dy);
  const left = <i32>x * 4;
  const top = <i32>y * 4;
  if (!isReachable(left, top, <i32>width * 4, <i32>height * 4, vector)) {
    markDamaged();
    return;
  }
  setVector(x, y, width, height, vector);
  if (isSkimming) return;
  predictPart(left, top, <i32>width * 4, <i32>height * 4, vector);
}

// Intra --------------------------------------------------------------------------

@inline
function lumaHere(): usize {
  return currentY + <usize>mbY * 16 * lumaStride + <usize>mbX * 16;
}

/** @param type mb_type - 1: mode, chroma and whether luma has AC (Table 7-11) */
function decodeWhole(type: u32): void {
  const record = changetype<MbRecord>(CANDIDATE);
  const mode = type & 3;
  const chroma = (type >> 2) % 3;
  record.kind = INTRA_16X16;
  record.intra16Mode = <u8>mode;
  if (mode == WHOLE_VERTICAL && !hasB) markDamaged();
  if (mode == WHOLE_HORIZONTAL && !hasA) markDamaged();
  if (mode == WHOLE_PLANE && !(hasA && hasB && hasD)) markDamaged();
  const chromaMode = takeChromaMode();
  if (isDamaged) return;
  record.pattern = <u8>((type >= 12 ? 15 : 0) | (chroma << 4));
  takeLevels(true);
  if (isSkimming) return;
  setQuantiser(<i32>record.qp, 0);
  predictWhole(mode, lumaHere(), lumaStride, hasA, hasB, PREDICTION);
  reconstructIntra16();
  finishChroma(chromaMode);
}

function decodeBlocks(): void {
  const record = changetype<MbRecord>(CANDIDATE);
  record.kind = INTRA_4X4;
  for (let i: usize = 0; i < 16; i++) {
    const at = gridAt(blockX(i), blockY(i));
    const predicted = predictedMode(at);
    let mode = predicted;
    if (takeBits(1) == 0) {
      const rest = <i32>takeBits(3);
      mode = rest < predicted ? rest : rest + 1;
    }
    store<u8>(modeGrid + at, <u8>mode);
  }
  const chromaMode = takeChromaMode();
  takePattern(true);
  if (isDamaged || isSkimming) return;
  setQuantiser(<i32>record.qp, 0);
  for (let i: usize = 0; i < 16; i++) {
    const x = blockX(i);
    const y = blockY(i);
    const mode = <i32>load<u8>(modeGrid + gridAt(x, y));
    gatherBlockEdge(i, x, y);
    if ((allowedModes() & (1 << mode)) == 0) {
      markDamaged();
      return;
    }
    predictBlock(mode, PREDICTION + y * 64 + x * 4, 16);
    reconstructBlock(i, x, y);
  }
  finishChroma(chromaMode);
}

function takeChromaMode(): i32 {
  const mode = <i32>takeUe();
  if (mode > 3) markDamaged();
  if (mode == 1 && !hasA) markDamaged();
  if (mode == 2 && !hasB) markDamaged();
  if (mode == 3 && !(hasA && hasB && hasD)) markDamaged();
  return mode;
}

function finishChroma(mode: i32): void {
  const record = changetype<MbRecord>(CANDIDATE);
  record.chromaMode = <u8>mode;
  predictBothChroma(mode);
  setQuantiser(chromaQp(<i32>record.qp), 0);
  reconstructChroma(record.pattern >> 4);
}

// Residual -----------------------------------------------------------------------

function takePattern(isIntra: bool): void {
  const record = changetype<MbRecord>(CANDIDATE);
  record.pattern = patternOf(takeUe(), isIntra);
  record.qp = <u8>qp;
  clear(LUMA_MASKS, 56);
  if (record.pattern != 0) takeLevels(false);
}

/** @param bytes a multiple of 8 */
function clear(at: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 8) store<u64>(at + i, 0);
}

/** mb_qp_delta and residual() (7.3.5.3). */
function takeLevels(isWhole: bool): void {
  const record = changetype<MbRecord>(CANDIDATE);
  qp += takeSe();
  if (qp < 0 || qp > MAX_QP) {
    qp = 0;
    markDamaged();
  }
  record.qp = <u8>qp;
  clear(LUMA_LEVELS, 832);
  clear(LUMA_MASKS, 56);
  if (isWhole) {
    const nC = countAround(gridAt(0, 0), ROW);
    store<u16>(DC_MASK, <u16>takeResidual(DC_LEVELS, 16, nC));
  }
  for (let i: usize = 0; i < 16; i++) {
    if ((<u32>record.pattern & (1 << <u32>(i >> 2))) == 0) continue;
    const at = gridAt(blockX(i), blockY(i));
    const nC = countAround(at, ROW);
    const levels = LUMA_LEVELS + 32 * i;
    const mask = isWhole ? takeResidual(levels + 2, 15, nC) << 1 : takeResidual(levels, 16, nC);
    store<u16>(LUMA_MASKS + 2 * i, <u16>mask);
    store<u8>(countGrid + at, <u8>popcnt<u32>(mask));
  }
  const chroma = record.pattern >> 4;
  for (let plane: usize = 0; plane < 2 && chroma > 0; plane++) {
    const mask = takeResidual(CHROMA_DC_LEVELS + 16 * plane, 4, CHROMA_DC);
    store<u16>(CHROMA_DC_MASKS + 2 * plane, <u16>mask);
  }
  for (let i: usize = 0; i < 8 && chroma == 2; i++) {
    const at = CHROMA_COUNTS + 12 * (i >> 2) + 5 + CHROMA_ROW * ((i >> 1) & 1) + (i & 1);
    const mask = takeResidual(CHROMA_LEVELS + 32 * i + 2, 15, countAround(at, CHROMA_ROW)) << 1;
    store<u16>(CHROMA_MASKS + 2 * i, <u16>mask);
    store<u8>(countGrid + at, <u8>popcnt<u32>(mask));
  }
}
