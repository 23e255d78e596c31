// The header of a block: its two codes, by their lengths (RFC 1951, 3.2.7).
import { putBits, putCode } from "./deflate-bits";
import { DISTANCES, distanceLengths, LITERALS, literalLengths } from "./deflate-block";
import { buildLengths, canonicalCodes } from "./huffman";

/** Symbols of the code in which lengths are written. */
const CODE_LENGTHS: i32 = 19;

const allLengths = memory.data(320, 16);
const lengthRuns = memory.data(4 * 320, 16);
const runCounts = memory.data(4 * 20, 16);
const runLengths = memory.data(20, 16);
const runCodes = memory.data(4 * 20, 16);
/** Order of the code length codes (RFC 1951, 3.2.7). */
const CODE_LENGTH_ORDER = memory.data<u8>([
  16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
]);

/** Begins a block with the codes that were made last. */
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
  canonicalCodes(runLengths, CODE_LENGTHS, runCodes);
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
