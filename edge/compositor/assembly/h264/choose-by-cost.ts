// Offline: a macroblock is coded in every way that may be good, and the
// cheapest is taken.
import { forgetBest, putSamples, restoreBest, weigh } from "./candidate";
import { canSkip, codeParts, findImplied, isSkip, predictSkip, searchParts } from "./inter";
import { chooseWhole, codeBlocks, codeWhole } from "./intra";
import { PREDICTION } from "./macroblock-state";
import { INTER_16X16, INTER_16X8, INTER_8X16, INTER_8X8 } from "./planes";

const FAR: i32 = i32.MAX_VALUE;

/**
 * Chooses, codes and reconstructs the candidate.
 * @param skipped macroblocks skipped before it; negative in I slices
 * @param qpBefore QPY,PRED
 * @param isIntraOnly whether no other picture may be looked at
 */
export function chooseByCost(qp: i32, skipped: i32, qpBefore: i32, isIntraOnly: bool): void {
  forgetBest();
  if (!isIntraOnly) {
    findImplied();
    if (canSkip) {
      predictSkip();
      putSamples(PREDICTION);
      weigh(skipped, qpBefore);
    }
    // Searches of larger partitions begin where those of the whole and of quarters ended.
    tryParts(INTER_16X16, qp, skipped, qpBefore);
    tryParts(INTER_8X8, qp, skipped, qpBefore);
    tryParts(INTER_16X8, qp, skipped, qpBefore);
    tryParts(INTER_8X16, qp, skipped, qpBefore);
  }
  chooseWhole();
  codeWhole(qp);
  weigh(skipped, qpBefore);
  if (codeBlocks(qp, true, FAR)) weigh(skipped, qpBefore);
  restoreBest();
}

function tryParts(kind: u8, qp: i32, skipped: i32, qpBefore: i32): void {
  if (searchParts(kind, true) == FAR) return;
  codeParts(kind, qp);
  if (!isSkip()) weigh(skipped, qpBefore);
}
