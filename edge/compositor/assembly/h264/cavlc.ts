// Residual blocks as CAVLC codes them (ITU-T H.264, clauses 7.3.5.3.2 and 9.2).
// The code tables are written out in `../../h264/cavlc-tables.ts`, which fills
// in the room for them here.
import { putBits, putCode } from "./bits";

/** u32 each, length << 16 | bits: coeff_token for 5 ranges of nC, [17 totals][4 trailing ones]. */
const TOKENS: usize = 5 * 17 * 4;
/** total_zeros [15 totals][16], of chroma DC [3][4], and run_before [7][16]. */
const TOTAL_ZEROS: usize = 15 * 16;
const CHROMA_DC_TOTAL_ZEROS: usize = 3 * 4;
const RUNS: usize = 7 * 16;
const WORDS = TOKENS + TOTAL_ZEROS + CHROMA_DC_TOTAL_ZEROS + RUNS;
/** Then u8: codeNum of a coded_block_pattern, of intra macroblocks and of inter ones. */
const PATTERNS: usize = 48;

const tables = memory.data(2912, 16);
const totalZeros = tables + 4 * TOKENS;
const chromaDcTotalZeros = totalZeros + 4 * TOTAL_ZEROS;
const runs = chromaDcTotalZeros + 4 * CHROMA_DC_TOTAL_ZEROS;
export const intraPatterns = tables + 4 * WORDS;
export const interPatterns = intraPatterns + PATTERNS;

/** Where the tables go: 704 u32 and 2 x 48 u8. */
export function cavlcTables(): usize {
  return tables;
}

/** nC of the DC of chroma (clause 9.2.1). */
export const CHROMA_DC: i32 = -1;

/** Which coeff_token column serves an nC: Table 9-5. */
@inline
function tokenTable(nC: i32): usize {
  const column = nC < 0 ? 4 : nC < 2 ? 0 : nC < 4 ? 1 : nC < 8 ? 2 : 3;
  return tables + <usize>column * 17 * 16;
}

/** Of 16 levels, a bit for each that is not 0. */
@inline
export function nonZeroMask(low: v128, high: v128): u32 {
  return i8x16.bitmask(i8x16.ne(i8x16.narrow_i16x8_s(low, high), i8x16.splat(0)));
}

/**
 * Writes a block.
 * @param levels int16, in the order of the scan
 * @param mask a bit for each level that is not 0
 * @param maxLevels 4, 15 or 16
 * @param nC as clause 9.2.1 derives it from the neighbours
 */
export function putResidual(levels: usize, mask: u32, maxLevels: i32, nC: i32): void {
  const total = popcnt<u32>(mask);
  const token = tokenTable(nC);
  if (total == 0) {
    putCode(load<u32>(token));
    return;
  }
  let rest = mask;
  let ones: u32 = 0;
  let signs: u32 = 0;
  while (rest != 0 && ones < 3) {
    const at = 31 - clz<u32>(rest);
    const level = <i32>load<i16>(levels + (<usize>at << 1));
    if (level != 1 && level != -1) break;
    signs = (signs << 1) | (level < 0 ? 1 : 0);
    rest ^= 1 << at;
    ones++;
  }
  putCode(load<u32>(token + <usize>(((total << 2) + ones) << 2)));
  putBits(signs, ones);
  if (rest != 0) putLevels(levels, rest, total, ones);
  if (total == <u32>maxLevels) return;
  const last = 31 - clz<u32>(mask);
  const zeros = last + 1 - total;
  putCode(
    maxLevels == 4
      ? load<u32>(chromaDcTotalZeros + <usize>((((total - 1) << 2) + zeros) << 2))
      : load<u32>(totalZeros + <usize>((((total - 1) << 4) + zeros) << 2)),
  );
  putRuns(mask, last, zeros);
}

/** level_prefix and level_suffix, clause 9.2.2.1. */
function putLevels(levels: usize, mask: u32, total: u32, ones: u32): void {
  let suffixLength: u32 = total > 10 && ones < 3 ? 1 : 0;
  let isFirst = true;
  for (let rest = mask; rest != 0; ) {
    const at = 31 - clz<u32>(rest);
    rest ^= 1 << at;
    const level = <i32>load<i16>(levels + (<usize>at << 1));
    const size: u32 = abs(level);
    let code = 2 * size - (level < 0 ? 1 : 2);
    // After fewer than three trailing ones, a level of one would be one of them.
    if (isFirst && ones < 3) code -= 2;
    isFirst = false;
    if (suffixLength == 0) {
      if (code < 14) putBits(1, code + 1);
      else if (code < 30) putBits(16 | (code - 14), 19);
      else putBits(4096 | (code - 30), 28);
      suffixLength = 1;
    } else if (code < 15 << suffixLength) {
      putBits(1, (code >> suffixLength) + 1);
      putBits(code & ((1 << suffixLength) - 1), suffixLength);
    } else {
      putBits(4096 | (code - (15 << suffixLength)), 28);
    }
    if (size > <u32>(3 << (suffixLength - 1)) && suffixLength < 6) suffixLength++;
  }
}

/** run_before, clause 9.2.3. */
function putRuns(mask: u32, last: u32, zeros: u32): void {
  let at = last;
  let left = zeros;
  for (let rest = mask ^ (1 << last); rest != 0 && left > 0; ) {
    const next = 31 - clz<u32>(rest);
    rest ^= 1 << next;
    const run = at - next - 1;
    putCode(load<u32>(runs + <usize>((((min(left, 7) - 1) << 4) + run) << 2)));
    left -= run;
    at = next;
  }
}
