// At run time: what the background did is followed where it is shown, the rest
// is decided by Hadamard sums, and a macroblock is coded once.
import { bitCost, bitCostSad, errorHere, putSamples } from "./candidate";
import { hintVectors } from "./hints";
import {
  canSkip,
  codeParts,
  findImplied,
  isSkip,
  predictSkip,
  searchParts,
  takeVectors,
} from "./inter";
import { chooseWhole, codeBlocks, codeWhole } from "./intra";
import { CANDIDATE, CHROMA_AT, PREDICTION, SOURCE } from "./macroblock-state";
import { ssd } from "./metrics";
import { INTER_16X16, INTER_8X8, MbRecord, SKIP } from "./planes";

const FAR: i32 = i32.MAX_VALUE;
/**
 * Squared steps of the quantiser that skipping may miss in all of a macroblock;
 * more where the background skipped. With 1 nothing is gained, with 4 everywhere
 * 4 % more bits are needed for the same quality.
 */
const SKIP_STEPS: f32 = 2;
const HINTED_SKIP_STEPS: f32 = 4;
/** What inter prediction misses, in bits, from which on quarters or intra modes are tried. */
const SPLIT_BITS: i32 = 120;
const INTRA_BITS: i32 = 60;
/** What modes, patterns and more tokens cost beyond what is counted block by block. */
const INTRA_4X4_BITS: i32 = 8;

/** Squared error that skipping would leave; negative where that is not known. */
let skipError: i32 = -1;

/**
 * Chooses, codes and reconstructs the candidate.
 * @param hint as `nextHint` gives it
 * @param isIntraOnly whether no other picture may be looked at
 */
export function chooseQuickly(qp: i32, hint: u8, isIntraOnly: bool): void {
  skipError = -1;
  let interCost = FAR;
  let kind = INTER_16X16;
  if (!isIntraOnly) {
    findImplied();
    const steps = hint == SKIP ? HINTED_SKIP_STEPS : SKIP_STEPS;
    if (canSkip && isSkipGoodEnough(qp, steps)) {
      putSamples(PREDICTION);
      return;
    }
    if (hint != SKIP && hint <= INTER_8X8 && takeVectors(hint, hintVectors)) {
      codeInter(hint, qp);
      return;
    }
    interCost = searchParts(INTER_16X16, false);
    if (interCost != FAR && interCost > SPLIT_BITS * bitCostSad) {
      const quarters = searchParts(INTER_8X8, false);
      if (quarters < interCost) {
        interCost = quarters;
        kind = INTER_8X8;
      }
    }
    if (interCost < INTRA_BITS * bitCostSad) {
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

function codeInter(kind: u8, qp: i32): void {
  codeParts(kind, qp);
  if (isSkip()) changetype<MbRecord>(CANDIDATE).kind = SKIP;
}

/** Whether the candidate, which is reconstructed, is not worth its bits. */
export function isSkipCheaper(bits: i32): bool {
  return skipError >= 0 && 16 * skipError <= 16 * errorHere() + bits * bitCost;
}

/** Whether coding a difference would gain nothing: it is what quantisation leaves anyway. */
function isSkipGoodEnough(qp: i32, steps: f32): bool {
  predictSkip();
  const luma = ssd(SOURCE, 16, PREDICTION, 16, 16, 16);
  const chroma = ssd(SOURCE + CHROMA_AT, 8, PREDICTION + CHROMA_AT, 8, 8, 16);
  skipError = luma + chroma;
  const most = <i32>(Mathf.pow(2, <f32>(qp - 4) / 3) * steps);
  return luma < most && chroma < most;
}
