// A slice: its macroblocks one after the other, then its deblocking.
import {
  beginBits,
  bitsSinceMark,
  copyBits,
  endBits,
  markBitsHere,
  putUe,
  rewindBits,
  ueBits,
} from "./bits";
import {
  bitCost,
  bitCostSad,
  clearCounts,
  errorHere,
  forgetBest,
  keepRecord,
  loadSource,
  putSamples,
  restoreBest,
  setBitCost,
  takeGrids,
  weigh,
} from "./candidate";
import { deblockSlice } from "./deblock";
import {
  canSkip,
  codeParts,
  findImplied,
  isSkip,
  predictSkip,
  searchParts,
  takeVectors,
} from "./inter";
import { hintVectors, nextHint } from "./hints";
import { chooseWhole, codeBlocks, codeWhole } from "./intra";
import { CANDIDATE, CHROMA_AT, PREDICTION, SOURCE } from "./macroblock-state";
import { ssd } from "./metrics";
import { enterMacroblock, gatherModes, gatherVectors } from "./neighbours";
import {
  INTER_16X16,
  INTER_16X8,
  INTER_8X16,
  INTER_8X8,
  INTRA_16X16,
  MbRecord,
  PCM,
  SKIP,
} from "./planes";
import { setRefining } from "./residual";
import { putMacroblock, putPcm } from "./syntax";

@unmanaged
class SliceLayout {
  /** Address of the first macroblock, among those of the coder, and how many there are. */
  first: i32;
  count: i32;
  /** 1 for an I slice; 2 for a P slice that is to look at no other picture. */
  intra: i32;
  /** SliceQPY */
  qp: i32;
  /** 0 at run time, 1 offline. */
  effort: i32;
  /** The header's bits. */
  header: i32;
  headerBits: i32;
  out: i32;
  /** u8 per macroblock of the coder: what is added to `qp`; 0 for none. */
  qpOffsets: i32;
  /** Whether the deblocking filter runs within the slice (disable_deblocking_filter_idc 2). */
  isDeblocked: i32;
}

/** Bits that macroblock_layer() may have (A.3.1): 128 more than the samples themselves. */
const MAX_MACROBLOCK_BITS: i32 = 3200;
const FAR: i32 = i32.MAX_VALUE;

let isISlice = false;
let isIntraOnly = false;
let skipped: i32 = 0;
/** QPY,PRED */
let qpBefore: i32 = 0;
let weighedQp: i32 = -1;
/** Squared error that skipping would leave; negative where that is not known. */
let skipError: i32 = -1;

/** Codes a slice and reconstructs it. @returns bytes of slice_layer_without_partitioning_rbsp() */
export function codeSlice(layoutAt: usize): i32 {
  const l = changetype<SliceLayout>(layoutAt);
  isISlice = l.intra == 1;
  isIntraOnly = l.intra != 0;
  skipped = isISlice ? -1 : 0;
  qpBefore = l.qp;
  weighedQp = -1;
  setRefining(l.effort > 0);
  beginBits(l.out);
  copyBits(l.header, l.headerBits);
  for (let mb = l.first; mb < l.first + l.count; mb++) {
    let qp = l.qp;
    if (l.qpOffsets != 0) qp += <i32>load<i8>(<usize>l.qpOffsets + mb);
    if (qp != weighedQp) {
      setBitCost(qp);
      weighedQp = qp;
    }
    enterMacroblock(mb, l.first);
    loadSource();
    gatherModes();
    if (!isISlice) gatherVectors();
    skipError = -1;
    if (l.effort > 0) chooseByCost(qp);
    else chooseQuickly(qp, nextHint(mb));
    finishMacroblock();
  }
  if (skipped > 0) putUe(skipped);
  if (l.isDeblocked != 0) deblockSlice(l.first, l.count);
  return endBits();
}

/** Writes the candidate, and keeps what later macroblocks look at. */
function finishMacroblock(): void {
  const record = changetype<MbRecord>(CANDIDATE);
  if (record.kind == SKIP || (record.kind < INTRA_16X16 && record.pattern == 0)) {
    // Without mb_qp_delta the quantiser stays what it was.
    record.qp = <u8>qpBefore;
  }
  if (record.kind == SKIP) {
    skipped++;
    takeGrids();
    keepRecord();
    return;
  }
  markBitsHere();
  putMacroblock(skipped, qpBefore);
  if (skipError >= 0 && isSkipCheaper()) {
    rewindBits();
    predictSkip();
    putSamples(PREDICTION);
    record.qp = <u8>qpBefore;
    skipped++;
    takeGrids();
    keepRecord();
    return;
  }
  if (bitsSinceMark() > MAX_MACROBLOCK_BITS) {
    rewindBits();
    putPcm(skipped);
    putSamples(SOURCE);
    record.kind = PCM;
    // Counts as 0 for the deblocking filter alone (8.7.2.2).
    record.qp = 0;
    record.pattern = 0x2f;
    clearCounts(16);
  } else {
    qpBefore = <i32>record.qp;
  }
  takeGrids();
  keepRecord();
  if (!isISlice) skipped = 0;
}

/** Offline: codes it in every way that may be good, and takes the cheapest. */
function chooseByCost(qp: i32): void {
  forgetBest();
  if (!isIntraOnly) {
    findImplied();
    if (canSkip) {
      predictSkip();
      putSamples(PREDICTION);
      weigh(skipped, qpBefore);
    }
    tryParts(INTER_16X16, qp);
    tryParts(INTER_8X8, qp);
    tryParts(INTER_16X8, qp);
    tryParts(INTER_8X16, qp);
  }
  chooseWhole();
  codeWhole(qp);
  weigh(skipped, qpBefore);
  if (codeBlocks(qp, true, FAR)) weigh(skipped, qpBefore);
  restoreBest();
}

function tryParts(kind: u8, qp: i32): void {
  if (searchParts(kind, 1) == FAR) return;
  codeParts(kind, qp);
  if (isSkip()) return;
  weigh(skipped, qpBefore);
}

/** At run time: decides by Hadamard sums, and codes it once. */
function chooseQuickly(qp: i32, hint: u8): void {
  if (!isIntraOnly && hint <= INTER_8X8 && followHint(qp, hint)) return;
  let interCost = FAR;
  let kind = INTER_16X16;
  if (!isIntraOnly) {
    findImplied();
    if (canSkip && isSkipGoodEnough(qp, SKIP_STEPS)) {
      putSamples(PREDICTION);
      return;
    }
    interCost = searchParts(INTER_16X16, 0);
    if (interCost != FAR && interCost > worthSplitting(qp)) {
      const quarters = searchParts(INTER_8X8, 0);
      if (quarters < interCost) {
        interCost = quarters;
        kind = INTER_8X8;
      }
    }
    if (interCost < worthIntra(qp)) {
      codeInter(kind, qp);
      return;
    }
  }
  const wholeCost = chooseWhole();
  const least = min(interCost, wholeCost);
  if (codeBlocks(qp, false, least - INTRA_4X4_BITS * bitCostSad)) return;
  if (wholeCost < interCost) codeWhole(qp);
  else codeInter(kind, qp);
}
/** Squared steps of the quantiser that skipping may miss; more where the background skipped. */
const SKIP_STEPS: f32 = 2;
const HINTED_SKIP_STEPS: f32 = 4;

/** Codes it as the background was coded. @returns whether that may be done */
function followHint(qp: i32, kind: u8): bool {
  findImplied();
  if (canSkip && isSkipGoodEnough(qp, kind == SKIP ? HINTED_SKIP_STEPS : SKIP_STEPS)) {
    putSamples(PREDICTION);
    return true;
  }
  if (kind == SKIP || !takeVectors(kind, hintVectors)) return false;
  codeInter(kind, qp);
  return true;
}

/** What modes, patterns and more tokens cost beyond what is counted block by block. */
const INTRA_4X4_BITS: i32 = 8;

function codeInter(kind: u8, qp: i32): void {
  codeParts(kind, qp);
  if (!isSkip()) return;
  const record = changetype<MbRecord>(CANDIDATE);
  record.kind = SKIP;
}

/** Whether what was written, and is reconstructed, was not worth its bits. */
function isSkipCheaper(): bool {
  const bits = bitsSinceMark() - <i32>ueBits(skipped) + 1;
  return 16 * skipError <= 16 * errorHere() + bits * bitCost;
}

/** Squared error below which coding a difference gains nothing: what quantisation leaves. */
function isSkipGoodEnough(qp: i32, steps: f32): bool {
  predictSkip();
  const luma = ssd(SOURCE, 16, PREDICTION, 16, 16, 16);
  const chroma = ssd(SOURCE + CHROMA_AT, 8, PREDICTION + CHROMA_AT, 8, 8, 16);
  skipError = luma + chroma;
  const step = stepSquared(qp);
  return luma < <i32>(step * steps) && chroma < <i32>(step * steps);
}

/** Of the quantiser's step, squared. */
@inline
function stepSquared(qp: i32): f32 {
  return Mathf.pow(2, <f32>(qp - 4) / 3);
}

@inline
function worthSplitting(qp: i32): i32 {
  return 120 * bitCostSad;
}

@inline
function worthIntra(qp: i32): i32 {
  return 60 * bitCostSad;
}
