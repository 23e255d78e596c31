// How the present macroblock is coded best without another picture.
import { bitCost, bitCostSad, clearCounts } from "./candidate";
import { bitsWritten, popBits, pushBits } from "./bits";
import { putResidual } from "./cavlc";
import {
  allowedModes,
  DC,
  DOWN_LEFT,
  DOWN_RIGHT,
  gatherEdge,
  HORIZONTAL,
  HORIZONTAL_DOWN,
  HORIZONTAL_UP,
  predictBlock,
  VERTICAL,
  VERTICAL_LEFT,
  VERTICAL_RIGHT,
} from "./intra-4x4";
import {
  CHROMA_DC_MODE,
  CHROMA_PLANE,
  predictChroma,
  predictWhole,
  WHOLE_DC,
  WHOLE_HORIZONTAL,
  WHOLE_PLANE,
  WHOLE_VERTICAL,
} from "./intra-whole";
import {
  blockX,
  blockY,
  CANDIDATE,
  CHROMA_AT,
  LUMA_LEVELS,
  LUMA_MASKS,
  PREDICTION,
  SOURCE,
} from "./macroblock-state";
import { satd, satdOfTwo, secondSatd, ssd4x4 } from "./metrics";
import {
  countAround,
  gridAt,
  hasA,
  hasB,
  hasC,
  hasD,
  mbX,
  mbY,
  modeGrid,
  predictedMode,
  ROW,
} from "./neighbours";
import {
  chromaStride,
  currentU,
  currentV,
  currentY,
  INTRA_4X4,
  INTRA_16X16,
  lumaStride,
  MbRecord,
} from "./planes";
import { codeChroma, codeIntra16Luma, codeIntra4Block, setPattern } from "./residual";

const COST_SHIFT: i32 = 4;
const FAR: i32 = i32.MAX_VALUE;
/** Modes of a block that are coded to see what they cost. */
const TRIED_MODES: i32 = 3;
/** i32 [9]: what the modes of a block seem to cost. */
const guesses = memory.data(36, 16);
const scratch = memory.data(512, 16);
/** u8 [4, 8]: predictions by two modes. */
const twoBlocks = memory.data(48, 16);
/** What the cheapest mode of a block seems to cost, and which it is. */
let least: i32 = FAR;
let cheapest: i32 = DC;

let wholeMode: i32 = 0;
let chromaMode: i32 = 0;

@inline
function lumaHere(): usize {
  return currentY + <usize>mbY * 16 * lumaStride + <usize>mbX * 16;
}

@inline
function chromaHere(plane: usize): usize {
  return plane + <usize>mbY * 8 * chromaStride + <usize>mbX * 8;
}

/** Chooses the mode of Intra_16x16. @returns its Hadamard sum and bits, x 16 */
export function chooseWhole(): i32 {
  const at = lumaHere();
  let best = FAR;
  for (let mode = 0; mode < 4; mode++) {
    if (mode == WHOLE_VERTICAL && !hasB) continue;
    if (mode == WHOLE_HORIZONTAL && !hasA) continue;
    if (mode == WHOLE_PLANE && !(hasA && hasB && hasD)) continue;
    predictWhole(mode, at, lumaStride, hasA, hasB, PREDICTION);
    const bits = mode == WHOLE_DC ? 2 : 3;
    const cost = (satd(SOURCE, 16, PREDICTION, 16, 16, 16) << COST_SHIFT) + bits * bitCostSad;
    if (cost >= best) continue;
    best = cost;
    wholeMode = mode;
  }
  return best;
}

export function predictBothChroma(mode: i32): void {
  const out = PREDICTION + CHROMA_AT;
  predictChroma(mode, chromaHere(currentU), chromaStride, hasA, hasB, out);
  predictChroma(mode, chromaHere(currentV), chromaStride, hasA, hasB, out + 64);
}

function chooseChroma(): void {
  let best = FAR;
  for (let mode = CHROMA_DC_MODE; mode <= CHROMA_PLANE; mode++) {
    if (mode == 1 && !hasA) continue;
    if (mode == 2 && !hasB) continue;
    if (mode == CHROMA_PLANE && !(hasA && hasB && hasD)) continue;
    predictBothChroma(mode);
    // Both planes lie one above the other: 8x16 samples.
    const error = satd(SOURCE + CHROMA_AT, 8, PREDICTION + CHROMA_AT, 8, 8, 16);
    const cost = (error << COST_SHIFT) + (mode == 0 ? 1 : 3) * bitCostSad;
    if (cost >= best) continue;
    best = cost;
    chromaMode = mode;
  }
}

/** Codes chroma by the mode that suits it best. */
function finishIntra(lumaPattern: u8, qp: i32): void {
  chooseChroma();
  predictBothChroma(chromaMode);
  setPattern(lumaPattern, codeChroma(qp, true));
  store<u8>(CANDIDATE, <u8>chromaMode, offsetof<MbRecord>("chromaMode"));
  store<u8>(CANDIDATE, <u8>qp, offsetof<MbRecord>("qp"));
}

/** Codes it as Intra_16x16, by the mode that was chosen. */
export function codeWhole(qp: i32): void {
  store<u8>(CANDIDATE, INTRA_16X16, offsetof<MbRecord>("kind"));
  store<u8>(CANDIDATE, <u8>wholeMode, offsetof<MbRecord>("intra16Mode"));
  predictWhole(wholeMode, lumaHere(), lumaStride, hasA, hasB, PREDICTION);
  clearCounts(0);
  const pattern = codeIntra16Luma(qp);
  finishIntra(pattern, qp);
}

/** Whether there are samples above and to the right of block `i` (6.4.11.4 and Figure 6-10). */
@inline
function hasAboveRight(i: usize, x: usize, y: usize): bool {
  if (y == 0) return x == 3 ? hasC : hasB;
  // Blocks 3, 7, 11, 13 and 15 come before what is there.
  return ((0xa888 >> <u32>i) & 1) == 0;
}

/** Gathers the neighbours of a block. @param i in the order of Figure 6-10 */
export function gatherBlockEdge(i: usize, x: usize, y: usize): void {
  const at = lumaHere() + 4 * y * lumaStride + 4 * x;
  const hasLeft = x > 0 || hasA;
  const hasAbove = y > 0 || hasB;
  const hasCorner = x > 0 ? hasAbove : y > 0 ? hasA : hasD;
  gatherEdge(at, lumaStride, hasLeft, hasAbove, hasCorner, hasAboveRight(i, x, y));
}

/**
 * Codes it as Intra_4x4, block by block.
 * @param isThorough whether the likeliest modes of a block are coded to compare them
 * @param limit gives up when the cost is certain to be beyond it: Hadamard sums and bits, x 16
 * @returns whether it was coded
 */
export function codeBlocks(qp: i32, isThorough: bool, limit: i32): bool {
  store<u8>(CANDIDATE, INTRA_4X4, offsetof<MbRecord>("kind"));
  clearCounts(0);
  let pattern: u32 = 0;
  let total = 0;
  for (let i: usize = 0; i < 16; i++) {
    const x = blockX(i);
    const y = blockY(i);
    gatherBlockEdge(i, x, y);
    const inGrid = gridAt(x, y);
    const likely = predictedMode(inGrid);
    const best = chooseMode(x, y, likely, isThorough);
    total += load<i32>(guesses + 4 * best);
    if (total > limit) return false;
    let mode = best;
    if (isThorough) mode = compareModes(i, x, y, likely, qp);
    predictBlock(mode, PREDICTION + y * 64 + x * 4, 16);
    codeIntra4Block(i, x, y, qp);
    store<u8>(modeGrid + inGrid, <u8>mode);
    if (load<u16>(LUMA_MASKS + 2 * i) != 0) pattern |= 1 << <u32>(i >> 2);
  }
  finishIntra(<u8>pattern, qp);
  return true;
}

/** The modes without a slope, and what lies beside each of the others. */
const STRAIGHT: i32 = (1 << VERTICAL) | (1 << HORIZONTAL) | (1 << DC);
const ALL_MODES: i32 = 0x1ff;

@inline
function modesBeside(mode: i32): i32 {
  if (mode == VERTICAL) return (1 << VERTICAL_RIGHT) | (1 << VERTICAL_LEFT);
  if (mode == HORIZONTAL) return (1 << HORIZONTAL_DOWN) | (1 << HORIZONTAL_UP);
  if (mode == DC) return (1 << DOWN_LEFT) | (1 << DOWN_RIGHT);
  return 0;
}

/**
 * Guesses what modes cost: all, or the likely ones and then those beside the best.
 * @returns the cheapest
 */
function chooseMode(x: usize, y: usize, likely: i32, isThorough: bool): i32 {
  const allowed = allowedModes();
  const source = SOURCE + y * 64 + x * 4;
  least = FAR;
  cheapest = DC;
  for (let mode: usize = 0; mode < 9; mode++) store<i32>(guesses + 4 * mode, FAR);
  const first = isThorough ? ALL_MODES : STRAIGHT | (1 << likely);
  guessAll(allowed & first, source, likely);
  if (!isThorough) guessAll(allowed & ~first & modesBeside(cheapest), source, likely);
  return cheapest;
}

/** @param modes a bit per mode */
function guessAll(modes: i32, source: usize, likely: i32): void {
  // Two at a time.
  for (let rest = modes; rest != 0; rest &= rest - 1) {
    const one = ctz(rest);
    rest &= rest - 1;
    const other = rest != 0 ? ctz(rest) : one;
    predictBlock(one, twoBlocks, 8);
    predictBlock(other, twoBlocks + 4, 8);
    guess(one, satdOfTwo(source, 16, twoBlocks), likely);
    if (other == one) return;
    guess(other, secondSatd, likely);
  }
}

@inline
function guess(mode: i32, error: i32, likely: i32): void {
  const cost = (error << COST_SHIFT) + (mode == likely ? 1 : 4) * bitCostSad;
  store<i32>(guesses + 4 * mode, cost);
  if (cost >= least) return;
  least = cost;
  cheapest = mode;
}

/** Codes a block by each of its likeliest modes. @returns the best */
function compareModes(i: usize, x: usize, y: usize, likely: i32, qp: i32): i32 {
  const at = y * 64 + x * 4;
  let best = DC;
  let bestCost = FAR;
  for (let n = 0; n < TRIED_MODES; n++) {
    let mode = -1;
    let lowest = FAR;
    for (let other = 0; other < 9; other++) {
      const guessed = load<i32>(guesses + 4 * other);
      if (guessed >= lowest) continue;
      lowest = guessed;
      mode = other;
    }
    if (mode < 0) break;
    store<i32>(guesses + 4 * mode, FAR);
    predictBlock(mode, PREDICTION + at, 16);
    codeIntra4Block(i, x, y, qp);
    pushBits(scratch);
    const nC = countAround(gridAt(x, y), ROW);
    putResidual(LUMA_LEVELS + 32 * i, load<u16>(LUMA_MASKS + 2 * i), 16, nC);
    const bits = bitsWritten() + (mode == likely ? 1 : 4);
    popBits();
    const out = lumaHere() + 4 * y * lumaStride + 4 * x;
    const cost = 16 * ssd4x4(SOURCE + at, 16, out, lumaStride) + bits * bitCost;
    if (cost >= bestCost) continue;
    bestCost = cost;
    best = mode;
  }
  return best;
}
