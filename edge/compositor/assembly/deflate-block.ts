// One DEFLATE block (RFC 1951, 3.2.7): its tokens by a shortest path over what
// each would cost, its codes from how often they are used, its bits.
import { putBits, putCode } from "./deflate-bits";
import { buildLengths, canonicalCodes } from "./huffman";
import {
  buildSymbols,
  distanceBase,
  distanceExtra,
  distanceSymbol,
  lengthBase,
  lengthExtra,
  lengthSymbol,
} from "./deflate-symbols";
import { findMatches, insert, MAX_CANDIDATES, MIN_INSERT, MIN_MATCH } from "./deflate-match";

export const LITERALS: i32 = 286;
export const DISTANCES: i32 = 30;
const END_OF_BLOCK: i32 = 256;
const MAX_BITS: i32 = 15;
/** Costs are counted in 64ths of a bit, so that 8 MB fit into 32 bits. */
const BIT: f64 = 64;
const FAR: u32 = 0xffffffff;
/** Of a match, lengths up to this are tried one by one; beyond it only the longest. */
const TRIED_LENGTH: i32 = 40;

export const literalCounts = memory.data(4 * 288, 16);
const distanceCounts = memory.data(4 * 32, 16);
export const literalLengths = memory.data(288, 16);
export const distanceLengths = memory.data(32, 16);
const literalCodes = memory.data(4 * 288, 16);
const distanceCodes = memory.data(4 * 32, 16);
const literalCosts = memory.data(4 * 288, 16);
const distanceCosts = memory.data(4 * 32, 16);

// Work of the block that is being made: `beginBlock` gives the room.
let bytes: usize = 0;
let firsts: usize = 0;
let matches: usize = 0;
let costs: usize = 0;
let steps: usize = 0;
let origin: i32 = 0;
let matchCount: i32 = 0;

/** Bytes of room that a block needs for each byte that it covers. */
export const ROOM_PER_BYTE: i32 = 4 + 4 * MAX_CANDIDATES + 4 + 4;

/**
 * Begins a block.
 * @param stream the stream's bytes; a block covers some of `[start, end)`
 * @param room `ROOM_PER_BYTE * (end - start + 2)` bytes
 */
export function beginBlock(stream: usize, start: i32, end: i32, room: usize): void {
  buildSymbols();
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
    if (limit - at >= MIN_INSERT) insert(at);
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

@inline
function lengthCost(length: i32): u32 {
  const symbol = lengthSymbol(length);
  return load<u32>(literalCosts + (symbol << 2)) + lengthExtra(symbol) * <u32>BIT;
}

@inline
function packStep(length: i32, distance: u32): u32 {
  return <u32>length | (distance << 16);
}

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
  canonicalCodes(literalLengths, LITERALS, literalCodes);
  canonicalCodes(distanceLengths, DISTANCES, distanceCodes);
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
