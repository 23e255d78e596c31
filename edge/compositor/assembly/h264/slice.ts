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
  clearCounts,
  keepRecord,
  loadSource,
  putSamples,
  setBitCost,
  takeGrids,
} from "./candidate";
import { chooseByCost } from "./choose-by-cost";
import { chooseQuickly, isSkipCheaper } from "./choose-quickly";
import { deblockSlice } from "./deblock";
import { nextHint } from "./hints";
import { predictSkip } from "./inter";
import { CANDIDATE, PREDICTION, SOURCE } from "./macroblock-state";
import { enterMacroblock, gatherModes, gatherVectors } from "./neighbours";
import { INTRA_16X16, MbRecord, PCM, SKIP } from "./planes";
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

let isISlice = false;
/** Macroblocks skipped since the last that was not; negative in I slices. */
let skipped: i32 = 0;
/** QPY,PRED */
let qpBefore: i32 = 0;
let weighedQp: i32 = -1;

/** Codes a slice and reconstructs it. @returns bytes of slice_layer_without_partitioning_rbsp() */
export function codeSlice(layoutAt: usize): i32 {
  const l = changetype<SliceLayout>(layoutAt);
  isISlice = l.intra == 1;
  const isIntraOnly = l.intra != 0;
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
    if (l.effort > 0) chooseByCost(qp, skipped, qpBefore, isIntraOnly);
    else chooseQuickly(qp, nextHint(mb), isIntraOnly);
    finishMacroblock(l.effort == 0 && !isIntraOnly);
  }
  if (skipped > 0) putUe(skipped);
  if (l.isDeblocked != 0) deblockSlice(l.first, l.count);
  return endBits();
}

/**
 * Writes the candidate, and keeps what later macroblocks look at.
 * @param maySkip whether skipping may still prove to be cheaper
 */
function finishMacroblock(maySkip: bool): void {
  const record = changetype<MbRecord>(CANDIDATE);
  if (record.kind == SKIP || (record.kind < INTRA_16X16 && record.pattern == 0)) {
    // Without mb_qp_delta the quantiser stays what it was.
    record.qp = <u8>qpBefore;
  }
  if (record.kind == SKIP) {
    skipMacroblock();
    return;
  }
  markBitsHere();
  putMacroblock(skipped, qpBefore);
  // The run that it ends is paid for by what was skipped.
  if (maySkip && isSkipCheaper(bitsSinceMark() - <i32>ueBits(skipped) + 1)) {
    rewindBits();
    predictSkip();
    putSamples(PREDICTION);
    record.qp = <u8>qpBefore;
    skipMacroblock();
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

function skipMacroblock(): void {
  skipped++;
  takeGrids();
  keepRecord();
}
