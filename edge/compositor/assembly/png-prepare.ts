// Once per frame: filters are chosen, and everything outside the mouth is
// compressed. `../png/png-preparer.ts` fills in the layout.
import {
  alignBits,
  beginBits,
  bitsSince,
  putAlignment,
  putBits,
} from "./deflate-bits";
import {
  beginBlock,
  chooseTokens,
  clearCounts,
  countLiteral,
  countTokens,
  gather,
  guessCosts,
  LITERALS,
  literalLengths,
  makeCodes,
  putEnd,
  putTokens,
  ROOM_PER_BYTE,
  takeCosts,
} from "./deflate-block";
import { putHeader } from "./deflate-header";
import { ADLER_BASE } from "./adler32";
import { beginMatching, staticEnd } from "./deflate-match";
import { FILTER_COUNT, filterRun } from "./png-filter";

@unmanaged
class PrepareLayout {
  /** 8-bit [height, width, channels] */
  frame: i32;
  width: i32;
  height: i32;
  channels: i32;
  x: i32;
  y: i32;
  regionWidth: i32;
  regionHeight: i32;
  /** Positions looked at for each byte when matches are searched. */
  maxChain: i32;
  /** Room for `height` bytes: the filter of each row. */
  filters: i32;
  /** Room for the filtered stream and 32 bytes. */
  stream: i32;
  /** Room for 7 rows and 64 bytes each. */
  scratch: i32;
  /** Room for `ROOM_PER_BYTE` times the bytes of the largest block. */
  room: i32;
  /** Out: zlib header and rows above, static runs, rows below. */
  above: i32;
  runs: i32;
  /** Room for `regionHeight + 1` u32. */
  runLengths: i32;
  below: i32;
  /** Room for 286 bytes. */
  codeLengths: i32;
  aboveBytes: i32;
  runsBytes: i32;
  belowBytes: i32;
  adler1: i32;
  adler2: i32;
}

/** Bytes of the stream in a block of the rows above and below. */
const BLOCK_BYTES = 65_536;
const MAX_LITERAL_BITS = 14;
const counts = memory.data(4 * 256, 4);

let rowBytes: i32 = 0;
let liveStart: i32 = 0;
let liveEnd: i32 = 0;

export function preparePng(layoutAt: usize): void {
  const l = changetype<PrepareLayout>(layoutAt);
  rowBytes = 1 + l.width * l.channels;
  liveStart = 1 + l.x * l.channels;
  // The pixel to the right of the mouth is filtered against it.
  liveEnd = 1 + min(l.width, l.x + l.regionWidth + 1) * l.channels;
  const endRow = l.y + l.regionHeight;
  filterRows(l);
  sumStatic(l);
  const total = l.height * rowBytes;
  beginMatching(l.stream, total, rowBytes, liveStart, liveEnd, l.y, endRow, l.maxChain);
  beginBits(l.above);
  putBits(0xda78, 16);
  if (l.y > 0) {
    compressRows(l, 0, l.y * rowBytes, false);
    putAlignment();
  }
  l.aboveBytes = <i32>(alignBits() - l.above);
  compressMouthRows(l);
  beginBits(l.below);
  if (endRow < l.height) compressRows(l, endRow * rowBytes, l.height * rowBytes, true);
  l.belowBytes = <i32>(alignBits() - l.below);
}

// Filters --------------------------------------------------------------------

function filterRows(l: PrepareLayout): void {
  const count = rowBytes - 1;
  const room = <usize>(count + 64);
  // 16 bytes of 0 before a row are the pixel to the left of the first.
  let current = <usize>l.scratch + 16;
  let above = current + room;
  const tries = above + room;
  memory.fill(l.scratch, 0, 2 * room);
  for (let row = 0; row < l.height; row++) {
    memory.copy(current, l.frame + row * count, count);
    // Below the mouth nothing may depend on what is above.
    const allowed = row == l.y + l.regionHeight ? 2 : FILTER_COUNT;
    let best = 0;
    let least = f64.MAX_VALUE;
    for (let type = 0; type < allowed; type++) {
      const filtered = tries + <usize>type * room;
      filterRun(type, filtered, current, above, l.channels, count);
      const cost = entropy(filtered, count);
      if (cost >= least) continue;
      least = cost;
      best = type;
    }
    const to = <usize>l.stream + row * rowBytes;
    store<u8>(to, <u8>best);
    memory.copy(to + 1, tries + <usize>best * room, count);
    store<u8>(l.filters + row, <u8>best);
    const swap = current;
    current = above;
    above = swap;
  }
}

/**
 * Bits that the bytes of a row would cost with a code of their own: on filmed
 * and drawn frames as good as the smallest sum of absolute values, or better.
 */
function entropy(at: usize, count: i32): f64 {
  memory.fill(counts, 0, 4 * 256);
  for (let i = 0; i < count; i++) {
    const place = counts + (<usize>load<u8>(at + i) << 2);
    store<u32>(place, load<u32>(place) + 1);
  }
  let bits: f64 = 0;
  for (let byte = 0; byte < 256; byte++) {
    const times = <f64>load<u32>(counts + (byte << 2));
    if (times > 0) bits += times * Math.log2(<f64>count / times);
  }
  return bits;
}

function sumStatic(l: PrepareLayout): void {
  const total = <u64>l.height * rowBytes;
  let s1: u64 = 1;
  let s2: u64 = total;
  for (let row = 0; row < l.height; row++) {
    const isLive = row >= l.y && row < l.y + l.regionHeight;
    let left = total - <u64>row * rowBytes;
    const at = <usize>l.stream + row * rowBytes;
    for (let i = 0; i < rowBytes; i++, left--) {
      if (isLive && i >= liveStart && i < liveEnd) continue;
      const byte = <u64>load<u8>(at + i);
      s1 += byte;
      s2 += left * byte;
    }
    s2 %= ADLER_BASE;
  }
  l.adler1 = <i32>(s1 % ADLER_BASE);
  l.adler2 = <i32>s2;
}

// Blocks ---------------------------------------------------------------------

/** Bytes of the stream in the largest block. */
export function largestBlock(width: i32, channels: i32, regionHeight: i32): i32 {
  return max(BLOCK_BYTES, regionHeight * (1 + width * channels));
}

export function roomPerByte(): i32 {
  return ROOM_PER_BYTE;
}

function compressRows(l: PrepareLayout, start: i32, end: i32, isLast: bool): void {
  const limit = staticEnd(start);
  for (let at = start; at < end; at += BLOCK_BYTES) {
    const blockEnd = min(end, at + BLOCK_BYTES);
    beginBlock(l.stream, at, blockEnd, l.room);
    for (let i = at; i < blockEnd; i++) countLiteral(load<u8>(l.stream + i), 1);
    guessCosts();
    gather(at, blockEnd, limit);
    for (let pass = 0; pass < 2; pass++) {
      if (pass > 0) takeCosts();
      chooseTokens(at, blockEnd);
      clearCounts();
      countTokens(at, blockEnd);
      makeCodes(15);
    }
    putHeader(isLast && blockEnd == end);
    putTokens(at, blockEnd);
    putEnd();
  }
}

/** Start of the static bytes before row `row` of the mouth, which may be the one after its last. */
function runStart(l: PrepareLayout, row: i32): i32 {
  return row == 0 ? l.y * rowBytes : (l.y + row - 1) * rowBytes + liveEnd;
}

function runEnd(l: PrepareLayout, row: i32): i32 {
  return row == l.regionHeight ? (l.y + row) * rowBytes : (l.y + row) * rowBytes + liveStart;
}

/** One block whose code serves the static bytes beside the mouth and any mouth. */
function compressMouthRows(l: PrepareLayout): void {
  const start = l.y * rowBytes;
  const rows = l.regionHeight;
  const hasMore = l.y + rows < l.height;
  beginBlock(l.stream, start, start + rows * rowBytes, l.room);
  for (let i = start; i < start + rows * rowBytes; i++) countLiteral(load<u8>(l.stream + i), 1);
  guessCosts();
  for (let row = 0; row <= rows; row++) {
    const end = runEnd(l, row);
    gather(runStart(l, row), end, staticEnd(end - 1));
  }
  for (let pass = 0; pass < 2; pass++) {
    if (pass > 0) takeCosts();
    for (let row = 0; row <= rows; row++) chooseTokens(runStart(l, row), runEnd(l, row));
    clearCounts();
    for (let row = 0; row <= rows; row++) countTokens(runStart(l, row), runEnd(l, row));
    countMouth(l);
    makeCodes(MAX_LITERAL_BITS);
  }
  memory.copy(l.codeLengths, literalLengths, LITERALS);
  let out = <usize>l.runs;
  for (let row = 0; row <= rows; row++) {
    beginBits(out);
    if (row == 0) putHeader(!hasMore);
    putTokens(runStart(l, row), runEnd(l, row));
    if (row == rows) {
      putEnd();
      // The head of the empty stored block that brings the end to a byte.
      if (hasMore) putBits(0, 3);
    }
    store<u32>(l.runLengths + (row << 2), bitsSince(out));
    out = alignBits();
  }
  l.runsBytes = <i32>(out - <usize>l.runs);
}

/** The frame's own mouth stands for those to come; any byte may occur in them. */
function countMouth(l: PrepareLayout): void {
  for (let row = l.y; row < l.y + l.regionHeight; row++) {
    const at = <usize>l.stream + row * rowBytes;
    for (let i = liveStart; i < liveEnd; i++) countLiteral(load<u8>(at + i), 1);
  }
  for (let byte: u32 = 0; byte < 256; byte++) countLiteral(byte, 1);
}
