// One DEFLATE block (RFC 1951, 3.2.7): its tokens by a shortest path over what
// each would cost, its codes from how often they are used, its bits.
import { buildLengths } from "./huffman";
import { findMatches, insert, MAX_CANDIDATES, MIN_MATCH } from "./deflate-match";
import { reverse } from "./png-splice";

export const LITERALS: i32 = 286;
const DISTANCES: i32 = 30;
const END_OF_BLOCK: i32 = 256;
const CODE_LENGTHS: i32 = 19;
const MAX_BITS: i32 = 15;
/** Costs are counted in 64ths of a bit, so that 8 MB fit into 32 bits. */
const BIT: f64 = 64;
const FAR: u32 = 0xffffffff;
/** Of a match, lengths up to this are tried one by one; beyond it only the longest. */
const TRIED_LENGTH: i32 = 40;

export const literalCounts = memory.data(4 * 288, 16);
const distanceCounts = memory.data(4 * 32, 16);
export const literalLengths = memory.data(288, 16);
const distanceLengths = memory.data(32, 16);
const literalCodes = memory.data(4 * 288, 16);
const distanceCodes = memory.data(4 * 32, 16);
const literalCosts = memory.data(4 * 288, 16);
const distanceCosts = memory.data(4 * 32, 16);
/** Symbol and extra bits of each match length, 3..258: symbol | bits << 16 | base << 24. */
const lengthSymbols = memory.data(2 * 260, 16);
let isBuilt = false;

// Work of the block that is being made: `beginBlock` gives the room.
let bytes: usize = 0;
let firsts: usize = 0;
let matches: usize = 0;
let costs: usize = 0;
let steps: usize = 0;
let origin: i32 = 0;
let matchCount: i32 = 0;

// The bits written so far.
let out: usize = 0;
let bitBuffer: u64 = 0;
let bitCount: u64 = 0;

/** Bytes of room that a block needs for each byte that it covers. */
export const ROOM_PER_BYTE: i32 = 4 + 4 * MAX_CANDIDATES + 4 + 4;

/**
 * Begins a block.
 * @param stream the stream's bytes; a block covers some of `[start, end)`
 * @param room `ROOM_PER_BYTE * (end - start + 2)` bytes
 */
export function beginBlock(stream: usize, start: i32, end: i32, room: usize): void {
  if (!isBuilt) buildLengthSymbols();
  const count = <usize>(end - start + 2);
  bytes = stream;
  origin = start;
  firsts = room;
  costs = firsts + 4 * count;
  steps = costs + 4 * count;
  matches = steps + 4 * count;
  matchCount = 0;
  memory.fill(literalCounts, 0, 4 * 288);
  memory.fill(distanceCounts, 0, 4 * 32);
}

/** Finds the matches in the static bytes `[start, end)` of the block. */
export function gather(start: i32, end: i32, limit: i32): void {
  for (let at = start; at < end; at++) {
    const to = matches + (<usize>matchCount << 2);
    store<u32>(firsts + (<usize>(at - origin) << 2), matchCount);
    matchCount += findMatches(at, end, to);
    if (limit - at >= MIN_MATCH) insert(at);
  }
  store<u32>(firsts + (<usize>(end - origin) << 2), matchCount);
}

/** First guess at the costs: what the bytes alone would cost, without matches. */
export function guessCosts(): void {
  let total: f64 = 0;
  for (let symbol = 0; symbol < 256; symbol++) total += load<u32>(literalCounts + (symbol << 2));
  for (let symbol = 0; symbol < LITERALS; symbol++) {
    const count = <f64>load<u32>(literalCounts + (symbol << 2));
    const guess = symbol > 256 ? 7.5 : count > 0 ? Math.log2(total / count) : 13;
    store<u32>(literalCosts + (symbol << 2), <u32>(max(guess, 1) * BIT));
  }
  for (let symbol = 0; symbol < DISTANCES; symbol++) {
    store<u32>(distanceCosts + (symbol << 2), <u32>(4.6 * BIT));
  }
}

/** Costs as the codes have them that were made last. */
export function takeCosts(): void {
  for (let symbol = 0; symbol < LITERALS; symbol++) {
    const length = <u32>load<u8>(literalLengths + symbol);
    store<u32>(literalCosts + (symbol << 2), (length > 0 ? length : 14) * <u32>BIT);
  }
  for (let symbol = 0; symbol < DISTANCES; symbol++) {
    const length = <u32>load<u8>(distanceLengths + symbol);
    store<u32>(distanceCosts + (symbol << 2), (length > 0 ? length : 8) * <u32>BIT);
  }
}

export function clearCounts(): void {
  memory.fill(literalCounts, 0, 4 * 288);
  memory.fill(distanceCounts, 0, 4 * 32);
}

export function countLiteral(byte: u32, times: u32): void {
  const at = literalCounts + (byte << 2);
  store<u32>(at, load<u32>(at) + times);
}

/**
 * The cheapest way through the static bytes `[start, end)`; `emit` then walks it.
 * A step is the token's length, and its distance above 16 bits.
 */
export function chooseTokens(start: i32, end: i32): void {
  const count = end - start;
  const first = <usize>(start - origin) << 2;
  const cost = costs + first;
  const step = steps + first;
  store<u32>(cost, 0);
  for (let i = 1; i <= count; i++) store<u32>(cost + (<usize>i << 2), FAR);
  for (let i = 0; i < count; i++) {
    const here = load<u32>(cost + (<usize>i << 2));
    const byte = <u32>load<u8>(bytes + start + i);
    improve(cost, step, i + 1, here + load<u32>(literalCosts + (byte << 2)), 1);
    let match = load<u32>(firsts + first + (<usize>i << 2));
    const lastMatch = load<u32>(firsts + first + (<usize>(i + 1) << 2));
    let length = MIN_MATCH;
    for (; match < lastMatch; match++) {
      const at = matches + (<usize>match << 2);
      const longest = <i32>load<u16>(at);
      const distance = distanceOf(load<u16>(at, 2));
      const symbol = distanceSymbol(distance);
      const base =
        here + load<u32>(distanceCosts + (symbol << 2)) + distanceExtra(symbol) * <u32>BIT;
      const tried = min(longest, TRIED_LENGTH);
      for (; length <= tried; length++) {
        improve(cost, step, i + length, base + lengthCost(length), packStep(length, distance));
      }
      if (longest > tried) {
        improve(cost, step, i + longest, base + lengthCost(longest), packStep(longest, distance));
        length = longest + 1;
      }
    }
  }
  reverseSteps(cost, step, count);
}

// @ts-ignore: decorator
@inline
function packStep(length: i32, distance: u32): u32 {
  return <u32>length | (distance << 16);
}

// @ts-ignore: decorator
@inline
function improve(cost: usize, step: usize, at: i32, price: u32, how: u32): void {
  const place = <usize>at << 2;
  if (price >= load<u32>(cost + place)) return;
  store<u32>(cost + place, price);
  store<u32>(step + place, how);
}

/** Steps lie where they end; afterwards where they begin. The costs have served and give the room. */
function reverseSteps(cost: usize, step: usize, count: i32): void {
  let at = count;
  while (at > 0) {
    const how = load<u32>(step + (<usize>at << 2));
    const from = at - <i32>(how & 0xffff);
    store<u32>(cost + (<usize>from << 2), how);
    at = from;
  }
}

/** 32768 does not fit into a step's or a match's 16 bits, and 0 is no distance. */
// @ts-ignore: decorator
@inline
function distanceOf(stored: u32): u32 {
  return stored == 0 ? 32768 : stored;
}

/** Counts the symbols of the tokens chosen for `[start, end)`. */
export function countTokens(start: i32, end: i32): void {
  for (let at = start; at < end; ) {
    const how = load<u32>(costs + (<usize>(at - origin) << 2));
    const length = <i32>(how & 0xffff);
    if (length == 1) {
      countLiteral(load<u8>(bytes + at), 1);
    } else {
      countLiteral(lengthSymbol(length), 1);
      const place = distanceCounts + (distanceSymbol(distanceOf(how >> 16)) << 2);
      store<u32>(place, load<u32>(place) + 1);
    }
    at += length;
  }
}

/** Makes the codes from the counts. @param maxBits of a literal or length */
export function makeCodes(maxBits: i32): void {
  store<u32>(literalCounts + (END_OF_BLOCK << 2), 1);
  buildLengths(literalCounts, LITERALS, maxBits, literalLengths);
  buildLengths(distanceCounts, DISTANCES, MAX_BITS, distanceLengths);
  makeCanonical(literalLengths, LITERALS, literalCodes);
  makeCanonical(distanceLengths, DISTANCES, distanceCodes);
}

function makeCanonical(lengths: usize, symbols: i32, codes: usize): void {
  let code: u32 = 0;
  for (let length: u32 = 1; length <= <u32>MAX_BITS; length++) {
    code <<= 1;
    for (let symbol = 0; symbol < symbols; symbol++) {
      if (load<u8>(lengths + symbol) != length) continue;
      store<u32>(codes + (symbol << 2), reverse(code, length) | (length << 16));
      code++;
    }
  }
}

// Bits -----------------------------------------------------------------------

export function beginBits(at: usize): void {
  out = at;
  bitBuffer = 0;
  bitCount = 0;
}

export function putBits(value: u32, count: u32): void {
  bitBuffer |= <u64>value << bitCount;
  bitCount += count;
  store<u64>(out, bitBuffer);
  out += <usize>(bitCount >> 3);
  bitBuffer >>= bitCount & 56;
  bitCount &= 7;
}

/** Goes on to the next byte. @returns where it is */
export function alignBits(): usize {
  if (bitCount > 0) out++;
  bitBuffer = 0;
  bitCount = 0;
  return out;
}

/** Bits since `start`, a byte at which bits began. */
export function bitsSince(start: usize): u32 {
  return <u32>(((out - start) << 3) + <usize>bitCount);
}

/** An empty stored block, which ends at a byte (as zlib's Z_SYNC_FLUSH). */
export function putAlignment(): void {
  putBits(0, 3);
  store<u32>(alignBits(), 0xffff0000);
  out += 4;
}

function putCode(code: u32): void {
  putBits(code & 0xffff, code >> 16);
}

export function putEnd(): void {
  putCode(load<u32>(literalCodes + (END_OF_BLOCK << 2)));
}

/** Writes the tokens of `[start, end)`. */
export function putTokens(start: i32, end: i32): void {
  for (let at = start; at < end; ) {
    const how = load<u32>(costs + (<usize>(at - origin) << 2));
    const length = <i32>(how & 0xffff);
    if (length == 1) {
      putCode(load<u32>(literalCodes + (<u32>load<u8>(bytes + at) << 2)));
    } else {
      const symbol = lengthSymbol(length);
      putCode(load<u32>(literalCodes + (symbol << 2)));
      putBits(<u32>length - lengthBase(symbol), lengthExtra(symbol));
      const distance = distanceOf(how >> 16);
      const far = distanceSymbol(distance);
      putCode(load<u32>(distanceCodes + (far << 2)));
      putBits(distance - distanceBase(far), distanceExtra(far));
    }
    at += length;
  }
}

/** The header of a block with these codes. */
export function putHeader(isFinal: bool): void {
  let literals = LITERALS;
  while (literals > 257 && load<u8>(literalLengths + literals - 1) == 0) literals--;
  let distances = DISTANCES;
  while (distances > 1 && load<u8>(distanceLengths + distances - 1) == 0) distances--;
  putBits(isFinal ? 1 : 0, 1);
  putBits(2, 2);
  putBits(literals - 257, 5);
  putBits(distances - 1, 5);
  putCodeLengths(literals, distances);
}

const allLengths = memory.data(320, 16);
const lengthRuns = memory.data(4 * 320, 16);
const runCounts = memory.data(4 * 20, 16);
const runLengths = memory.data(20, 16);
const runCodes = memory.data(4 * 20, 16);
/** Order of the code length codes (RFC 1951, 3.2.7). */
const CODE_LENGTH_ORDER = memory.data<u8>([
  16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
]);

function putCodeLengths(literals: i32, distances: i32): void {
  memory.copy(allLengths, literalLengths, literals);
  memory.copy(allLengths + literals, distanceLengths, distances);
  const runs = findRuns(literals + distances);
  memory.fill(runCounts, 0, 4 * 20);
  for (let i = 0; i < runs; i++) {
    const at = runCounts + ((load<u32>(lengthRuns + (i << 2)) & 31) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
  buildLengths(runCounts, CODE_LENGTHS, 7, runLengths);
  makeCanonical(runLengths, CODE_LENGTHS, runCodes);
  let sent = CODE_LENGTHS;
  while (sent > 4 && load<u8>(runLengths + load<u8>(CODE_LENGTH_ORDER + sent - 1)) == 0) sent--;
  putBits(sent - 4, 4);
  for (let i = 0; i < sent; i++) putBits(load<u8>(runLengths + load<u8>(CODE_LENGTH_ORDER + i)), 3);
  for (let i = 0; i < runs; i++) {
    const run = load<u32>(lengthRuns + (i << 2));
    const symbol = run & 31;
    putCode(load<u32>(runCodes + (symbol << 2)));
    if (symbol == 16) putBits(run >> 8, 2);
    else if (symbol == 17) putBits(run >> 8, 3);
    else if (symbol == 18) putBits(run >> 8, 7);
  }
}

/** Repeated lengths as runs: symbol | extra << 8. */
function findRuns(count: i32): i32 {
  let runs = 0;
  for (let at = 0; at < count; ) {
    const length = <u32>load<u8>(allLengths + at);
    let same = 1;
    while (at + same < count && load<u8>(allLengths + at + same) == length) same++;
    let left = same;
    if (length != 0) {
      store<u32>(lengthRuns + (runs++ << 2), length);
      left--;
    }
    while (left >= 3) {
      const taken = min(left, length != 0 ? 6 : left >= 11 ? 138 : 10);
      const symbol = length != 0 ? 16 : taken >= 11 ? 18 : 17;
      const least = symbol == 18 ? 11 : 3;
      store<u32>(lengthRuns + (runs++ << 2), symbol | ((taken - least) << 8));
      left -= taken;
    }
    for (; left > 0; left--) store<u32>(lengthRuns + (runs++ << 2), length);
    at += same;
  }
  return runs;
}

// Lengths and distances (RFC 1951, 3.2.5) ------------------------------------

function buildLengthSymbols(): void {
  for (let length = MIN_MATCH; length <= 258; length++) {
    let symbol: u32 = 257;
    while (symbol < 285 && <u32>length >= lengthBase(symbol + 1)) symbol++;
    store<u16>(lengthSymbols + (length << 1), <u16>symbol);
  }
  isBuilt = true;
}

// @ts-ignore: decorator
@inline
function lengthSymbol(length: i32): u32 {
  return load<u16>(lengthSymbols + (length << 1));
}

function lengthExtra(symbol: u32): u32 {
  return symbol < 265 || symbol == 285 ? 0 : (symbol - 261) >> 2;
}

function lengthBase(symbol: u32): u32 {
  if (symbol < 265) return symbol - 254;
  if (symbol == 285) return 258;
  const extra = (symbol - 261) >> 2;
  return 3 + ((4 + ((symbol - 265) & 3)) << extra);
}

// @ts-ignore: decorator
@inline
function lengthCost(length: i32): u32 {
  const symbol = lengthSymbol(length);
  return load<u32>(literalCosts + (symbol << 2)) + lengthExtra(symbol) * <u32>BIT;
}

function distanceSymbol(distance: u32): u32 {
  if (distance <= 4) return distance - 1;
  const top = 31 - clz(distance - 1);
  return 2 * top + (((distance - 1) >> (top - 1)) & 1);
}

function distanceExtra(symbol: u32): u32 {
  return symbol < 4 ? 0 : (symbol >> 1) - 1;
}

function distanceBase(symbol: u32): u32 {
  if (symbol < 4) return symbol + 1;
  return 1 + ((2 + (symbol & 1)) << ((symbol >> 1) - 1));
}
