// macroblock_layer() (ITU-T H.264, 7.3.5): what was decided, as bits.
import { alignBits, putBits, putSe, putUe } from "./bits";
import { CHROMA_DC, interPatterns, intraPatterns, putResidual } from "./cavlc";
import {
  CHROMA_COUNTS,
  CHROMA_ROW,
  countAround,
  gridAt,
  modeGrid,
  predictedMode,
  predictVector,
  ROW,
  vectorGrid,
  vectorX,
  vectorY,
} from "./neighbours";
import {
  blockX,
  blockY,
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
  SOURCE,
} from "./macroblock-state";
import {
  INTER_16X16,
  INTER_16X8,
  INTER_8X16,
  INTRA_4X4,
  INTRA_16X16,
  MbRecord,
} from "./planes";

/** mb_type of I macroblocks in P slices begins here (Table 7-13). */
const INTRA_IN_P: u32 = 5;
/** mb_type I_PCM (Table 7-11). */
const I_PCM: u32 = 25;

/**
 * Writes the candidate, whose counts, modes and vectors are in their grids.
 * @param skipped mb_skip_run before it, in P slices; negative in I slices
 * @param qpBefore QPY,PRED
 */
export function putMacroblock(skipped: i32, qpBefore: i32): void {
  const record = changetype<MbRecord>(CANDIDATE);
  if (skipped >= 0) putUe(skipped);
  const base: u32 = skipped >= 0 ? INTRA_IN_P : 0;
  const luma = record.pattern & 15;
  const chroma = record.pattern >> 4;
  const kind = record.kind;
  if (kind == INTRA_16X16) {
    putUe(base + 1 + record.intra16Mode + 4 * chroma + (luma != 0 ? 12 : 0));
    putUe(record.chromaMode);
  } else if (kind == INTRA_4X4) {
    putUe(base);
    putModes();
    putUe(record.chromaMode);
    putUe(load<u8>(intraPatterns + record.pattern));
  } else {
    putMotion(kind);
    putUe(load<u8>(interPatterns + record.pattern));
  }
  if (record.pattern == 0 && kind != INTRA_16X16) return;
  // mb_qp_delta
  putSe(<i32>record.qp - qpBefore);
  if (kind == INTRA_16X16) {
    putResidual(DC_LEVELS, load<u16>(DC_MASK), 16, countAround(gridAt(0, 0), ROW));
  }
  putLuma(luma, kind == INTRA_16X16);
  if (chroma > 0) putChroma(chroma);
}

/** mb_pred() and sub_mb_pred() of inter macroblocks (7.3.5.1 and 7.3.5.2). */
function putMotion(kind: u8): void {
  if (kind == INTER_16X16) {
    putUe(0);
    putDifference(0, 0, 4, false);
  } else if (kind == INTER_16X8) {
    putUe(1);
    putDifference(0, 0, 4, true);
    putDifference(0, 2, 4, true);
  } else if (kind == INTER_8X16) {
    putUe(2);
    putDifference(0, 0, 2, true);
    putDifference(2, 0, 2, true);
  } else {
    putUe(3);
    // sub_mb_type P_L0_8x8, four times
    putBits(15, 4);
    for (let quarter: usize = 0; quarter < 4; quarter++) {
      putDifference((quarter & 1) << 1, quarter & 2, 2, false);
    }
  }
}

/** mvd_l0 */
function putDifference(x: usize, y: usize, width: usize, isDirectional: bool): void {
  const vector = load<i32>(vectorGrid + 4 * gridAt(x, y));
  const predicted = predictVector(x, y, width, isDirectional);
  putSe(vectorX(vector) - vectorX(predicted));
  putSe(vectorY(vector) - vectorY(predicted));
}

/** prev_intra4x4_pred_mode_flag and rem_intra4x4_pred_mode */
function putModes(): void {
  for (let i: usize = 0; i < 16; i++) {
    const at = gridAt(blockX(i), blockY(i));
    const mode = <i32>load<u8>(modeGrid + at);
    const predicted = predictedMode(at);
    if (mode == predicted) putBits(1, 1);
    else putBits(mode < predicted ? mode : mode - 1, 4);
  }
}

function putLuma(pattern: u32, isWhole: bool): void {
  for (let i: usize = 0; i < 16; i++) {
    if ((pattern & (1 << <u32>(i >> 2))) == 0) {
      i += 3;
      continue;
    }
    const nC = countAround(gridAt(blockX(i), blockY(i)), ROW);
    const mask = <u32>load<u16>(LUMA_MASKS + 2 * i);
    const levels = LUMA_LEVELS + 32 * i;
    if (isWhole) putResidual(levels + 2, mask >> 1, 15, nC);
    else putResidual(levels, mask, 16, nC);
  }
}

function putChroma(kind: u32): void {
  for (let plane: usize = 0; plane < 2; plane++) {
    const mask = <u32>load<u16>(CHROMA_DC_MASKS + 2 * plane);
    putResidual(CHROMA_DC_LEVELS + 16 * plane, mask, 4, CHROMA_DC);
  }
  if (kind < 2) return;
  for (let i: usize = 0; i < 8; i++) {
    const at = CHROMA_COUNTS + 12 * (i >> 2) + 5 + CHROMA_ROW * ((i >> 1) & 1) + (i & 1);
    const mask = <u32>load<u16>(CHROMA_MASKS + 2 * i);
    putResidual(CHROMA_LEVELS + 32 * i + 2, mask >> 1, 15, countAround(at, CHROMA_ROW));
  }
}

/** The samples as they are: a macroblock that would need more bits otherwise. */
export function putPcm(skipped: i32): void {
  if (skipped >= 0) putUe(skipped);
  putUe((skipped >= 0 ? INTRA_IN_P : 0) + I_PCM);
  alignBits();
  for (let i: usize = 0; i < CHROMA_AT + 128; i++) putBits(load<u8>(SOURCE + i), 8);
}
