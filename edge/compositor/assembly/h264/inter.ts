// How the present macroblock is coded best from the picture before.
import { bitCostSad, clearCounts } from "./candidate";
import { CANDIDATE } from "./macroblock-state";
import { beginSearch, isReachable, predictPart, refine, searchCost, tryWhole, walk } from "./motion";
import {
  forgetVectors,
  gridAt,
  hasA,
  hasB,
  hasC,
  mbIndex,
  predictVector,
  ROW,
  setVector,
  skipVector,
  vectorGrid,
} from "./neighbours";
import {
  INTER_16X16,
  INTER_16X8,
  INTER_8X16,
  INTER_8X8,
  INTRA_4X4,
  MbRecord,
  recordOf,
  SKIP,
  VECTORS,
} from "./planes";
import { codeChroma, codeInterLuma, setPattern } from "./residual";

/** Bits of mb_type, without and with those of sub_mb_type. */
const HALVES_BITS: i32 = 3;
const QUARTERS_BITS: i32 = 7;
const FAR: i32 = i32.MAX_VALUE;

/** i32 [9]: found vectors of 16x16, of the two of 16x8, of the two of 8x16, of the four of 8x8. */
const vectors = memory.data(36, 16);

/** Columns, rows and sizes of the partitions of a kind, in samples. */
@inline
function partWidth(kind: u8): i32 {
  return kind == INTER_16X16 || kind == INTER_16X8 ? 16 : 8;
}

@inline
function partHeight(kind: u8): i32 {
  return kind == INTER_16X16 || kind == INTER_8X16 ? 16 : 8;
}

@inline
function firstVector(kind: u8): usize {
  return kind == INTER_16X16 ? 0 : kind == INTER_16X8 ? 1 : kind == INTER_8X16 ? 3 : 5;
}

/** The vector that skipping implies, unless it leads where nothing may be looked at. */
export let impliedVector: i32 = 0;
export let canSkip = false;

export function findImplied(): void {
  impliedVector = skipVector();
  canSkip = isReachable(0, 0, 16, 16, impliedVector);
}

/** Makes the candidate a skipped macroblock, but for its samples. */
export function recordSkip(): void {
  const record = changetype<MbRecord>(CANDIDATE);
  record.kind = SKIP;
  setPattern(0, 0);
  clearCounts(0);
  setVector(0, 0, 4, 4, impliedVector);
}

/** Makes the candidate a skipped macroblock, up to its reconstruction. */
export function predictSkip(): void {
  recordSkip();
  predictPart(0, 0, 16, 16, impliedVector);
}

/**
 * Searches the vectors of a kind of partitions. Finds those of 16x16 first.
 * @param isThorough whether all eight neighbours of a fraction are tried
 * @returns what they seem to cost: Hadamard sum and bits, x 16
 */
export function searchParts(kind: u8, isThorough: bool): i32 {
  forgetVectors();
  const width = partWidth(kind);
  const height = partHeight(kind);
  const bits = kind == INTER_16X16 ? 1 : kind == INTER_8X8 ? QUARTERS_BITS : HALVES_BITS;
  let total = bits * bitCostSad;
  let place = vectors + 4 * firstVector(kind);
  for (let y = 0; y < 16; y += height) {
    for (let x = 0; x < 16; x += width, place += 4) {
      const column = <usize>x >> 2;
      const row = <usize>y >> 2;
      const isDirectional = kind == INTER_16X8 || kind == INTER_8X16;
      const predicted = predictVector(column, row, <usize>width >> 2, isDirectional);
      beginSearch(x, y, width, height, predicted);
      tryWhole(predicted);
      tryWhole(0);
      if (kind == INTER_16X16) tryNeighbours();
      else {
        tryWhole(load<i32>(vectors));
        if (kind != INTER_8X8) {
          tryWhole(load<i32>(vectors + 4 * (5 + ((<usize>y >> 2) & 2) + (<usize>x >> 3))));
        }
      }
      walk();
      const vector = refine(isThorough);
      if (searchCost() == FAR) return FAR;
      total += searchCost();
      store<i32>(place, vector);
      setVector(column, row, <usize>width >> 2, <usize>height >> 2, vector);
    }
  }
  return total;
}

/**
 * Takes vectors that are known instead of searching them.
 * @returns whether all of them lead where they may
 */
export function takeVectors(kind: u8, from: usize): bool {
  const width = partWidth(kind);
  const height = partHeight(kind);
  let place = vectors + 4 * firstVector(kind);
  for (let y = 0; y < 16; y += height) {
    for (let x = 0; x < 16; x += width, place += 4, from += 4) {
      const vector = load<i32>(from);
      if (!isReachable(x, y, width, height, vector)) return false;
      store<i32>(place, vector);
    }
  }
  return true;
}

function tryNeighbours(): void {
  if (hasA) tryWhole(load<i32>(vectorGrid + 4 * (gridAt(0, 0) - 1)));
  if (hasB) tryWhole(load<i32>(vectorGrid + 4 * (gridAt(0, 0) - ROW)));
  if (hasC) tryWhole(load<i32>(vectorGrid + 4 * (gridAt(0, 0) - ROW + 4)));
  // What the record still holds is of the picture before.
  const before = recordOf(mbIndex);
  if (load<u8>(before, offsetof<MbRecord>("kind")) < INTRA_4X4) {
    tryWhole(load<i32>(before, VECTORS + 20));
  }
}

/** Codes it by the vectors that were found for a kind. */
export function codeParts(kind: u8, qp: i32): void {
  const record = changetype<MbRecord>(CANDIDATE);
  record.kind = kind;
  record.qp = <u8>qp;
  const width = partWidth(kind);
  const height = partHeight(kind);
  let place = vectors + 4 * firstVector(kind);
  for (let y = 0; y < 16; y += height) {
    for (let x = 0; x < 16; x += width, place += 4) {
      const vector = load<i32>(place);
      setVector(<usize>x >> 2, <usize>y >> 2, <usize>width >> 2, <usize>height >> 2, vector);
      predictPart(x, y, width, height, vector);
    }
  }
  clearCounts(0);
  const luma = codeInterLuma(qp);
  setPattern(luma, codeChroma(qp, false));
}

/** Whether a macroblock that is coded as 16x16 without levels is one that is skipped. */
export function isSkip(): bool {
  const record = changetype<MbRecord>(CANDIDATE);
  return (
    record.kind == INTER_16X16 && record.pattern == 0 && canSkip && load<i32>(vectors) == impliedVector
  );
}
