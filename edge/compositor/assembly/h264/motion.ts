// Motion search, and the prediction that a vector gives.
import { seBits } from "./bits";
import { bitCostSad } from "./candidate";
import {
  chooseHalves,
  first,
  firstStride,
  gatherHalfSamples,
  second,
  secondStride,
} from "./half-samples";
import { predictChromaInter, predictLuma } from "./interpolate";
import { CHROMA_AT, PREDICTION, SOURCE } from "./macroblock-state";
import { sad, satd, satdOfMean } from "./metrics";
import { mbX, mbY, vectorOf, vectorX, vectorY } from "./neighbours";
import {
  chromaStride,
  LUMA_BORDER,
  lumaStride,
  mbHeight,
  mbWidth,
  referenceU,
  referenceV,
  referenceY,
} from "./planes";

// Which samples of the reference exist, and which must not be looked at.
let minX: i32 = 0;
let minY: i32 = 0;
let maxX: i32 = 0;
let maxY: i32 = 0;
let barStartX: i32 = 0;
let barStartY: i32 = 0;
let barEndX: i32 = 0;
let barEndY: i32 = 0;

/** Samples of the border that a vector leaves alone, so that no filter leaves it. */
const BORDER_REST: i32 = 8;
/** Vectors are shorter than this, in quarters: within the range of every level (Table A-1). */
const MAX_VECTOR: i32 = 4 * 63;
/** Of a walk: far more than the faces of people need. */
const MAX_STEPS: i32 = 16;
const COST_SHIFT: i32 = 4;
const FAR: i32 = i32.MAX_VALUE;

/**
 * Says where motion vectors may point.
 * @param openSides 1 left, 2 top, 4 right, 8 bottom: where the edge of the picture is, beyond
 *   which its samples are repeated
 * @param barX samples `[barX, barEndX)` x `[barY, barEndY)` must not be looked at, as `barY`
 */
export function setReach(openSides: i32, barX: i32, barY: i32, endX: i32, endY: i32): void {
  const beyond = LUMA_BORDER - BORDER_REST;
  minX = openSides & 1 ? -beyond : 0;
  minY = openSides & 2 ? -beyond : 0;
  maxX = mbWidth * 16 - 1 + (openSides & 4 ? beyond : 0);
  maxY = mbHeight * 16 - 1 + (openSides & 8 ? beyond : 0);
  barStartX = barX;
  barStartY = barY;
  barEndX = endX;
  barEndY = endY;
}

/** Whether a partition may be predicted by a vector: all that the filters read has to be there. */
export function isReachable(
  x: i32,
  y: i32,
  width: i32,
  height: i32,
  vector: i32,
): bool {
  const vx = vectorX(vector);
  const vy = vectorY(vector);
  if (abs(vx) > MAX_VECTOR || abs(vy) > MAX_VECTOR) return false;
  let left = mbX * 16 + x + (vx >> 2);
  let top = mbY * 16 + y + (vy >> 2);
  let right = left + width - 1;
  let bottom = top + height - 1;
  // The 6 taps of a fraction; those of chroma stay within the same macroblocks.
  if (vx & 7) {
    left -= 2;
    right += 3;
  }
  if (vy & 7) {
    top -= 2;
    bottom += 3;
  }
  if (left < minX || top < minY || right > maxX || bottom > maxY) return false;
  if (barStartX >= barEndX) return true;
  // Beyond the edges lies what the edges are.
  const lastX = mbWidth * 16 - 1;
  const lastY = mbHeight * 16 - 1;
  left = min(max(left, 0), lastX);
  right = min(max(right, 0), lastX);
  top = min(max(top, 0), lastY);
  bottom = min(max(bottom, 0), lastY);
  return left >= barEndX || right < barStartX || top >= barEndY || bottom < barStartY;
}

/** Predicts luma of a partition, in samples. */
function predictLumaPart(x: i32, y: i32, width: i32, height: i32, vector: i32): void {
  const vx = vectorX(vector);
  const vy = vectorY(vector);
  const at =
    referenceY +
    <usize>(mbY * 16 + y + (vy >> 2)) * lumaStride +
    <usize>(mbX * 16 + x + (vx >> 2));
  const out = PREDICTION + <usize>(y * 16 + x);
  predictLuma(at, lumaStride, vx & 3, vy & 3, out, width, height);
}

/** Predicts all samples of a partition. */
export function predictPart(x: i32, y: i32, width: i32, height: i32, vector: i32): void {
  predictLumaPart(x, y, width, height, vector);
  const vx = vectorX(vector);
  const vy = vectorY(vector);
  const offset =
    <usize>(mbY * 8 + (y >> 1) + (vy >> 3)) * chromaStride +
    <usize>(mbX * 8 + (x >> 1) + (vx >> 3));
  const out = PREDICTION + CHROMA_AT + <usize>((y >> 1) * 8 + (x >> 1));
  const u = referenceU + offset;
  const v = referenceV + offset;
  predictChromaInter(u, chromaStride, vx & 7, vy & 7, out, width >> 1, height >> 1);
  predictChromaInter(v, chromaStride, vx & 7, vy & 7, out + 64, width >> 1, height >> 1);
}

// The search -----------------------------------------------------------------

let partX: i32 = 0;
let partY: i32 = 0;
let partWidth: i32 = 0;
let partHeight: i32 = 0;
let predicted: i32 = 0;
let found: i32 = 0;
let foundCost: i32 = FAR;
/** From where the search goes on by fractions. */
let origin: i32 = 0;

/** Cost of the last search: Hadamard sum and bits, x 16. */
export function searchCost(): i32 {
  return foundCost;
}

@inline
function vectorCost(vector: i32): i32 {
  const x = seBits(vectorX(vector) - vectorX(predicted));
  const y = seBits(vectorY(vector) - vectorY(predicted));
  return <i32>(x + y) * bitCostSad;
}

/** Begins the search of a partition. @param prediction mvpLX */
export function beginSearch(x: i32, y: i32, width: i32, height: i32, prediction: i32): void {
  partX = x;
  partY = y;
  partWidth = width;
  partHeight = height;
  predicted = prediction;
  found = 0;
  foundCost = FAR;
}

/** Tries a vector to whole samples. */
export function tryWhole(vector: i32): void {
  const whole = vectorOf((vectorX(vector) + 2) & ~3, (vectorY(vector) + 2) & ~3);
  if (whole == found && foundCost != FAR) return;
  if (!isReachable(partX, partY, partWidth, partHeight, whole)) return;
  const at =
    referenceY +
    <usize>(mbY * 16 + partY + (vectorY(whole) >> 2)) * lumaStride +
    <usize>(mbX * 16 + partX + (vectorX(whole) >> 2));
  const source = SOURCE + <usize>(partY * 16 + partX);
  const cost =
    (sad(source, 16, at, lumaStride, partWidth, partHeight) << COST_SHIFT) + vectorCost(whole);
  if (cost >= foundCost) return;
  foundCost = cost;
  found = whole;
}

/** Walks downhill by whole samples: in hexagons, then in diamonds. */
export function walk(): void {
  if (foundCost == FAR) return;
  for (let step = 0; step < MAX_STEPS; step++) {
    const centre = found;
    const x = vectorX(centre);
    const y = vectorY(centre);
    tryWhole(vectorOf(x - 8, y));
    tryWhole(vectorOf(x + 8, y));
    tryWhole(vectorOf(x - 4, y - 8));
    tryWhole(vectorOf(x + 4, y - 8));
    tryWhole(vectorOf(x - 4, y + 8));
    tryWhole(vectorOf(x + 4, y + 8));
    if (found == centre) break;
  }
  for (let step = 0; step < MAX_STEPS; step++) {
    const centre = found;
    const x = vectorX(centre);
    const y = vectorY(centre);
    tryWhole(vectorOf(x - 4, y));
    tryWhole(vectorOf(x + 4, y));
    tryWhole(vectorOf(x, y - 4));
    tryWhole(vectorOf(x, y + 4));
    if (found == centre) return;
  }
}

/** Tries a vector as it is, by the Hadamard sum of what its prediction misses. */
function tryExact(vector: i32): void {
  if (!isReachable(partX, partY, partWidth, partHeight, vector)) return;
  predictLumaPart(partX, partY, partWidth, partHeight, vector);
  const at = <usize>(partY * 16 + partX);
  take(vector, satd(SOURCE + at, 16, PREDICTION + at, 16, partWidth, partHeight));
}

/** The same of a vector around `origin`, whose half samples have been gathered. */
function tryNear(x: i32, y: i32): void {
  const vector = vectorOf(vectorX(origin) + x, vectorY(origin) + y);
  if (abs(vectorX(vector)) > MAX_VECTOR || abs(vectorY(vector)) > MAX_VECTOR) return;
  chooseHalves(x, y);
  const source = SOURCE + <usize>(partY * 16 + partX);
  take(
    vector,
    satdOfMean(source, first, firstStride, second, secondStride, partWidth, partHeight),
  );
}

@inline
function take(vector: i32, error: i32): void {
  const cost = (error << COST_SHIFT) + vectorCost(vector);
  if (cost >= foundCost) return;
  foundCost = cost;
  found = vector;
}

/**
 * Refines to quarters of a sample.
 * @param isThorough whether diagonals are tried too
 * @returns the vector; `searchCost` says what it costs
 */
export function refine(isThorough: bool): i32 {
  if (foundCost == FAR) return 0;
  origin = found;
  // From sums of differences to Hadamard sums.
  foundCost = FAR;
  const x = vectorX(origin);
  const y = vectorY(origin);
  const isInside =
    isReachable(partX, partY, partWidth, partHeight, vectorOf(x - 3, y - 3)) &&
    isReachable(partX, partY, partWidth, partHeight, vectorOf(x + 3, y + 3));
  if (isInside) refineNear(isThorough);
  else refineExactly(isThorough);
  return found;
}

/** By half samples that are gathered once. */
function refineNear(isThorough: bool): void {
  const at =
    referenceY +
    <usize>(mbY * 16 + partY + (vectorY(origin) >> 2)) * lumaStride +
    <usize>(mbX * 16 + partX + (vectorX(origin) >> 2));
  gatherHalfSamples(at, lumaStride, partWidth, partHeight);
  tryNear(0, 0);
  const x = vectorX(predicted) - vectorX(origin);
  const y = vectorY(predicted) - vectorY(origin);
  if (abs(x) <= 3 && abs(y) <= 3 && (x | y) != 0) tryNear(x, y);
  for (let size = 2; size > 0; size--) {
    const dx = vectorX(found) - vectorX(origin);
    const dy = vectorY(found) - vectorY(origin);
    const left = dx - size >= -3;
    const right = dx + size <= 3;
    const top = dy - size >= -3;
    const bottom = dy + size <= 3;
    if (left) tryNear(dx - size, dy);
    if (right) tryNear(dx + size, dy);
    if (top) tryNear(dx, dy - size);
    if (bottom) tryNear(dx, dy + size);
    if (!isThorough) continue;
    if (left && top) tryNear(dx - size, dy - size);
    if (right && top) tryNear(dx + size, dy - size);
    if (left && bottom) tryNear(dx - size, dy + size);
    if (right && bottom) tryNear(dx + size, dy + size);
  }
}

/** Where not all around may be looked at: vector by vector. */
function refineExactly(isThorough: bool): void {
  tryExact(origin);
  tryExact(predicted);
  for (let size = 2; size > 0; size--) {
    const x = vectorX(found);
    const y = vectorY(found);
    tryExact(vectorOf(x - size, y));
    tryExact(vectorOf(x + size, y));
    tryExact(vectorOf(x, y - size));
    tryExact(vectorOf(x, y + size));
    if (!isThorough) continue;
    tryExact(vectorOf(x - size, y - size));
    tryExact(vectorOf(x + size, y - size));
    tryExact(vectorOf(x - size, y + size));
    tryExact(vectorOf(x + size, y + size));
  }
}
