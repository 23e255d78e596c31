// Residual blocks read back (ITU-T H.264, clause 9.2). Every code of its tables
// is a run of zeros, a one and up to three bits: two steps find any of them.
import { isDamaged, markDamaged, peekBits, skipBits, takeBits } from "./bit-input";
import { cavlcTables, intraPatterns, interPatterns } from "./cavlc";

/** Entries of a table: zeros up to 15, then three bits. */
const ENTRIES: usize = 128;
/** u16, length << 8 | total << 2 | trailing ones: three ranges of nC, then DC of chroma. */
const tokens = memory.data(2 * 4 * 128, 16);
/** u8, length << 4 | value: by total, by total of the DC of chroma, by zeros left. */
const zeroCounts = memory.data(15 * 128, 16);
const chromaZeroCounts = memory.data(3 * 128, 16);
const runLengths = memory.data(7 * 128, 16);
/** coded_block_pattern by codeNum (Table 9-4). */
const intraByCode = memory.data(48, 16);
const interByCode = memory.data(48, 16);
let isBuilt = false;

function build(): void {
  isBuilt = true;
  const table = cavlcTables();
  const perColumn: usize = 17 * 4;
  for (let column: usize = 0; column < 4; column++) {
    // The fourth column has codes of fixed length, which need no table.
    const codes = table + 4 * perColumn * (column == 3 ? 4 : column);
    for (let i: usize = 0; i < perColumn; i++) {
      const code = load<u32>(codes + 4 * i);
      if (code != 0) fill16(tokens + 2 * ENTRIES * column, code, <u16>(((code >> 16) << 8) | <u32>i));
    }
  }
  let codes = table + 4 * perColumn * 5;
  codes = fillRows(codes, zeroCounts, 15, 16);
  codes = fillRows(codes, chromaZeroCounts, 3, 4);
  fillRows(codes, runLengths, 7, 16);
  for (let pattern: usize = 0; pattern < 48; pattern++) {
    store<u8>(intraByCode + load<u8>(intraPatterns + pattern), <u8>pattern);
    store<u8>(interByCode + load<u8>(interPatterns + pattern), <u8>pattern);
  }
}

/** @returns where the next table's codes begin */
function fillRows(codes: usize, to: usize, rows: usize, columns: usize): usize {
  for (let row: usize = 0; row < rows; row++) {
    for (let i: usize = 0; i < columns; i++) {
      const code = load<u32>(codes + 4 * (row * columns + i));
      if (code != 0) fill8(to + ENTRIES * row, code, <u8>(((code >> 16) << 4) | <u32>i));
    }
  }
  return codes + 4 * rows * columns;
}

/** First entry of a code, and how many there are. */
let firstEntry: usize = 0;
let entryCount: usize = 0;

function locate(code: u32): void {
  const length = code >> 16;
  const bits = code & 0xffff;
  if (bits == 0) {
    // All zeros: whatever comes after so many of them.
    firstEntry = length * 8;
    entryCount = ENTRIES - firstEntry;
    return;
  }
  const after = 31 - clz<u32>(bits);
  const rest = bits ^ (1 << after);
  firstEntry = (length - 1 - after) * 8 + (rest << (3 - after));
  entryCount = 1 << (3 - after);
}

function fill16(table: usize, code: u32, value: u16): void {
  locate(code);
  for (let i: usize = 0; i < entryCount; i++) store<u16>(table + 2 * (firstEntry + i), value);
}

function fill8(table: usize, code: u32, value: u8): void {
  locate(code);
  for (let i: usize = 0; i < entryCount; i++) store<u8>(table + firstEntry + i, value);
}

/** The entry of the code that comes next. */
@inline
function entryHere(): usize {
  const bits = peekBits();
  const zeros = clz<u32>(bits | 0x10000);
  return zeros * 8 + ((bits << (zeros + 1)) >> 29);
}

@inline
function takeShort(table: usize): u32 {
  const found = <u32>load<u8>(table + entryHere());
  if (found == 0) markDamaged();
  skipBits(found >> 4);
  return found & 15;
}

/** coded_block_pattern by its codeNum. */
export function patternOf(code: u32, isIntra: bool): u8 {
  if (!isBuilt) build();
  if (code >= 48) {
    markDamaged();
    return 0;
  }
  return load<u8>((isIntra ? intraByCode : interByCode) + code);
}

/**
 * Reads a block.
 * @param levels int16 [maxLevels], all of them 0
 * @returns a bit per level that is not 0
 */
export function takeResidual(levels: usize, maxLevels: u32, nC: i32): u32 {
  if (!isBuilt) build();
  let total: u32;
  let ones: u32;
  if (nC >= 8) {
    const six = takeBits(6);
    total = six == 3 ? 0 : (six >> 2) + 1;
    ones = six == 3 ? 0 : six & 3;
  } else {
    const column: usize = nC < 0 ? 3 : nC < 2 ? 0 : nC < 4 ? 1 : 2;
    const found = <u32>load<u16>(tokens + 2 * (ENTRIES * column + entryHere()));
    skipBits(found >> 8);
    if (found == 0) markDamaged();
    total = (found >> 2) & 31;
    ones = found & 3;
  }
  if (total == 0 || isDamaged) return 0;
  if (total > maxLevels || ones > min(total, 3)) {
    markDamaged();
    return 0;
  }
  takeLevels(total, ones);
  let zeros: u32 = 0;
  if (total < maxLevels) {
    const table = maxLevels == 4 ? chromaZeroCounts : zeroCounts;
    zeros = takeShort(table + ENTRIES * <usize>(total - 1));
    if (zeros + total > maxLevels) {
      markDamaged();
      return 0;
    }
  }
  return place(levels, total, zeros);
}

/** int16 [16]: levels of a block, the one of the highest frequency first. */
const found = memory.data(32, 16);

/** Clause 9.2.2. */
function takeLevels(total: u32, ones: u32): void {
  let suffixLength: u32 = total > 10 && ones < 3 ? 1 : 0;
  for (let i: u32 = 0; i < total; i++) {
    let level: i32;
    if (i < ones) {
      level = 1 - 2 * <i32>takeBits(1);
    } else {
      const prefix = clz<u32>(peekBits() | 0x8000);
      if (prefix > 15) {
        markDamaged();
        return;
      }
      skipBits(prefix + 1);
      let code = prefix << suffixLength;
      const size = prefix == 15 ? 12 : prefix == 14 && suffixLength == 0 ? 4 : suffixLength;
      if (size > 0) code += takeBits(size);
      if (prefix == 15 && suffixLength == 0) code += 15;
      if (i == ones && ones < 3) code += 2;
      level = code & 1 ? -(<i32>((code + 1) >> 1)) : <i32>((code + 2) >> 1);
      if (suffixLength == 0) suffixLength = 1;
      if (abs(level) > 3 << (suffixLength - 1) && suffixLength < 6) suffixLength++;
    }
    store<i16>(found + 2 * <usize>i, <i16>level);
  }
}

/** Clause 9.2.4. */
function place(levels: usize, total: u32, zeros: u32): u32 {
  let mask: u32 = 0;
  let at = zeros + total - 1;
  let left = zeros;
  for (let i: u32 = 0; i < total; i++) {
    store<i16>(levels + 2 * <usize>at, load<i16>(found + 2 * <usize>i));
    mask |= 1 << at;
    if (i + 1 == total) break;
    const run = left > 0 ? takeShort(runLengths + ENTRIES * <usize>(min(left, 7) - 1)) : 0;
    if (run > left) {
      markDamaged();
      return mask;
    }
    left -= run;
    at -= run + 1;
  }
  return mask;
}
