// What a macroblock sees of those before it (ITU-T H.264, 6.4.9 to 6.4.12):
// nothing of another slice. Its own values and those around it lie in one grid,
// so that blocks look at their neighbours in the same way wherever they are.
import {
  COUNTS,
  INTRA_4X4,
  MbRecord,
  mbWidth,
  MODES,
  recordOf,
  VECTORS,
} from "./planes";

export let mbIndex: i32 = 0;
export let mbX: i32 = 0;
export let mbY: i32 = 0;
/** Whether A (left), B (above), C (above right) and D (above left) are in the slice. */
export let hasA = false;
export let hasB = false;
export let hasC = false;
export let hasD = false;

/** Grids have a row and a column of neighbours; of luma, rows are 8 apart. */
export const ROW: usize = 8;
/** u8: levels of luma blocks; block (x, y) at 9 + 8 y + x. Of chroma, 2x2 blocks begin at 45 and 57, rows 4 apart. */
export const countGrid = memory.data(80, 16);
export const CHROMA_COUNTS: usize = 40;
export const CHROMA_ROW: usize = 4;
/** u8: Intra4x4PredMode, or what stands for it. */
export const modeGrid = memory.data(48, 16);
/** int16 [2] each: motion vectors; and i8: refIdxL0, or one of the two below. */
export const vectorGrid = memory.data(4 * 48, 16);
export const referenceGrid = memory.data(48, 16);
const INTRA: i8 = -1;
const MISSING: i8 = -2;
/** Marks a count that there is none of. */
const NO_COUNT: u8 = 0x80;
/** Marks a mode that there is none of. */
const NO_MODE: u8 = 0x80;
/** Intra_4x4_DC, as which macroblocks of other types count. */
const DC_MODE: u8 = 2;

let left: usize = 0;
let above: usize = 0;

@inline
export function gridAt(x: usize, y: usize): usize {
  return 9 + ROW * y + x;
}

/** @param mb address within the coder's macroblocks @param sliceStart that of the slice's first */
export function enterMacroblock(mb: i32, sliceStart: i32): void {
  mbIndex = mb;
  mbX = mb % mbWidth;
  mbY = mb / mbWidth;
  hasA = mbX > 0 && mb - 1 >= sliceStart;
  hasB = mb - mbWidth >= sliceStart;
  hasC = mbX + 1 < mbWidth && mb - mbWidth + 1 >= sliceStart;
  hasD = mbX > 0 && mb - mbWidth - 1 >= sliceStart;
  left = recordOf(mb - 1);
  above = recordOf(mb - mbWidth);
  gatherCounts();
}

function gatherCounts(): void {
  for (let i: usize = 0; i < 4; i++) {
    store<u8>(countGrid + 8 + ROW * i, hasA ? load<u8>(left + 4 * i, COUNTS + 3) : NO_COUNT);
  }
  store<u32>(countGrid + 1, hasB ? load<u32>(above, COUNTS + 12) : 0x80808080);
  for (let plane: usize = 0; plane < 2; plane++) {
    const grid = countGrid + CHROMA_COUNTS + 12 * plane;
    for (let i: usize = 0; i < 2; i++) {
      const count = hasA ? load<u8>(left + 4 * plane + 2 * i, COUNTS + 17) : NO_COUNT;
      store<u8>(grid + CHROMA_ROW * (i + 1), count);
    }
    store<u16>(grid + 1, hasB ? load<u16>(above + 4 * plane, COUNTS + 18) : 0x8080);
  }
}

/** nC of a block (9.2.1). @param at in `countGrid` */
@inline
export function countAround(at: usize, row: usize): i32 {
  const sum = <i32>load<u8>(countGrid + at - 1) + <i32>load<u8>(countGrid + at - row);
  return sum < 0x80 ? (sum + 1) >> 1 : sum & 0x7f;
}

/** Gathers the modes around; only macroblocks that may be Intra_4x4 need them. */
export function gatherModes(): void {
  const isA4x4 = hasA && load<u8>(left, offsetof<MbRecord>("kind")) == INTRA_4X4;
  const isB4x4 = hasB && load<u8>(above, offsetof<MbRecord>("kind")) == INTRA_4X4;
  for (let i: usize = 0; i < 4; i++) {
    const mode = isA4x4 ? load<u8>(left + 4 * i, MODES + 3) : hasA ? DC_MODE : NO_MODE;
    store<u8>(modeGrid + 8 + ROW * i, mode);
  }
  store<u32>(
    modeGrid + 1,
    isB4x4 ? load<u32>(above, MODES + 12) : hasB ? 0x02020202 : 0x80808080,
  );
}

/** predIntra4x4PredMode (8.3.1.1). @param at in `modeGrid` */
export function predictedMode(at: usize): i32 {
  const a = load<u8>(modeGrid + at - 1);
  const b = load<u8>(modeGrid + at - ROW);
  return <i32>(a == NO_MODE || b == NO_MODE ? DC_MODE : min(a, b));
}

/** Gathers the motion around; only macroblocks of P slices need it. */
export function gatherVectors(): void {
  const isAInter = hasA && isInter(left);
  const isBInter = hasB && isInter(above);
  for (let i: usize = 0; i < 4; i++) {
    const vector = isAInter ? load<i32>(left + 16 * i, VECTORS + 12) : 0;
    putNeighbour(8 + ROW * i, hasA, isAInter, vector);
    const higher = isBInter ? load<i32>(above + 4 * i, VECTORS + 48) : 0;
    putNeighbour(1 + i, hasB, isBInter, higher);
  }
  const c = above + 128;
  const isCInter = hasC && isInter(c);
  putNeighbour(5, hasC, isCInter, isCInter ? load<i32>(c, VECTORS + 48) : 0);
  const d = above - 128;
  const isDInter = hasD && isInter(d);
  putNeighbour(0, hasD, isDInter, isDInter ? load<i32>(d, VECTORS + 60) : 0);
  // To the right, nothing has been coded yet.
  for (let y: usize = 0; y < 4; y++) store<i8>(referenceGrid + gridAt(4, y), MISSING);
}

@inline
function isInter(record: usize): bool {
  return load<u8>(record, offsetof<MbRecord>("kind")) < INTRA_4X4;
}

@inline
function putNeighbour(at: usize, isThere: bool, isOfInter: bool, vector: i32): void {
  store<i32>(vectorGrid + 4 * at, vector);
  store<i8>(referenceGrid + at, isOfInter ? 0 : isThere ? INTRA : MISSING);
}

/** Puts the vector of a partition into the grid; all numbers in blocks of 4 samples. */
export function setVector(x: usize, y: usize, width: usize, height: usize, vector: i32): void {
  for (let row = y; row < y + height; row++) {
    for (let column = x; column < x + width; column++) {
      const at = gridAt(column, row);
      store<i32>(vectorGrid + 4 * at, vector);
      store<i8>(referenceGrid + at, 0);
    }
  }
}

/** Before partitions are tried: inside, nothing is known yet. */
export function forgetVectors(): void {
  for (let y: usize = 0; y < 4; y++) store<u32>(referenceGrid + gridAt(0, y), 0xfefefefe);
}

@inline
export function vectorOf(x: i32, y: i32): i32 {
  return (x & 0xffff) | (y << 16);
}

@inline
export function vectorX(vector: i32): i32 {
  return (vector << 16) >> 16;
}

@inline
export function vectorY(vector: i32): i32 {
  return vector >> 16;
}

@inline
function median(a: i32, b: i32, c: i32): i32 {
  return max(min(a, b), min(max(a, b), c));
}

/**
 * mvpLX of a partition (8.4.1.3); all numbers in blocks of 4 samples.
 * @param isDirectional whether a neighbour may be preferred: of 16x8 and 8x16
 */
export function predictVector(x: usize, y: usize, width: usize, isDirectional: bool): i32 {
  const a = gridAt(x, y) - 1;
  const b = gridAt(x, y) - ROW;
  let c = b + width;
  if (load<i8>(referenceGrid + c) == MISSING) c = b - 1;
  const referenceA = load<i8>(referenceGrid + a);
  const referenceB = load<i8>(referenceGrid + b);
  const referenceC = load<i8>(referenceGrid + c);
  const vectorA = load<i32>(vectorGrid + 4 * a);
  const vectorB = load<i32>(vectorGrid + 4 * b);
  const vectorC = load<i32>(vectorGrid + 4 * c);
  if (isDirectional) {
    if (width == 4) {
      // 16x8: the upper one from above, the lower one from the left.
      if (y == 0 && referenceB == 0) return vectorB;
      if (y != 0 && referenceA == 0) return vectorA;
    } else {
      if (x == 0 && referenceA == 0) return vectorA;
      if (x != 0 && referenceC == 0) return vectorC;
    }
  }
  if (referenceB == MISSING && referenceC == MISSING && referenceA != MISSING) return vectorA;
  const isA = referenceA == 0;
  const isB = referenceB == 0;
  const isC = referenceC == 0;
  if (isA && !isB && !isC) return vectorA;
  if (isB && !isA && !isC) return vectorB;
  if (isC && !isA && !isB) return vectorC;
  return vectorOf(
    median(vectorX(vectorA), vectorX(vectorB), vectorX(vectorC)),
    median(vectorY(vectorA), vectorY(vectorB), vectorY(vectorC)),
  );
}

/** The vector that a skipped macroblock has (8.4.1.1). */
export function skipVector(): i32 {
  if (!hasA || !hasB) return 0;
  const a = gridAt(0, 0) - 1;
  const b = gridAt(0, 0) - ROW;
  if (load<i8>(referenceGrid + a) == 0 && load<i32>(vectorGrid + 4 * a) == 0) return 0;
  if (load<i8>(referenceGrid + b) == 0 && load<i32>(vectorGrid + 4 * b) == 0) return 0;
  return predictVector(0, 0, 4, false);
}
