// Run time: the mouth's rows are filtered and coded, and the static bits
// between them are shifted in behind. `../png/png-splicer.ts` fills in the layout.
import { ADLER_BASE, runSum, runWeighted, sumRun } from "./adler32";
import { crc32 } from "./crc32";
import { canonicalCodes } from "./huffman";
import { filterRun } from "./png-filter";

@unmanaged
class SpliceLayout {
  /** Mouth and neighbours: a pixel more at the left and right, a row more at the top. */
  patch: i32;
  patchStride: i32;
  channels: i32;
  rows: i32;
  /** Bytes of a row that depend on the mouth. */
  rowBytes: i32;
  /** One filter type per row. */
  filters: i32;
  /** Code lengths of the 286 symbols of the literal/length alphabet. */
  codeLengths: i32;
  /** Static bits: a run before the first row, between the rows, and after the last. */
  runs: i32;
  /** Their lengths in bits, u32, `rows + 1`. */
  runLengths: i32;
  /** Room for a filtered row and 32 bytes. */
  filtered: i32;
  /** Room for 286 x u32. */
  codes: i32;
  out: i32;
  /** Whether rows without any of the mouth follow. */
  hasMore: i32;
  /** Adler-32 of everything but the mouth's bytes, as two sums. */
  adler1: i32;
  adler2: i32;
  /** Bytes of the whole stream before compression from the first mouth byte on. */
  bytesLeft: i32;
  /** Bytes of a whole row, filter type included. */
  frameStride: i32;
}

const SYMBOLS = 286;

/**
 * Writes the IDAT chunk of the rows, then, behind it, the IDAT chunk of the
 * checksum and IEND.
 * @returns bytes of the first chunk; the rest is 28 bytes
 */
export function splicePng(layoutAt: usize): i32 {
  const l = changetype<SpliceLayout>(layoutAt);
  canonicalCodes(l.codeLengths, SYMBOLS, l.codes);
  const data = <usize>l.out + 8;
  let out = data;
  let bits: u64 = 0;
  let count: u64 = 0;
  let run: usize = l.runs;
  let adler1 = <u64>(<u32>l.adler1);
  let adler2 = <u64>(<u32>l.adler2);
  let bytesLeft = <u64>(<u32>l.bytesLeft);
  const filtered: usize = l.filtered;
  const codes: usize = l.codes;
  const rowEnd = filtered + <usize>l.rowBytes;

  for (let row = 0; row <= l.rows; row++) {
    // The static bits before this row, or after the last one.
    let runBits = load<u32>(l.runLengths + (row << 2));
    const nextRun = run + ((runBits + 7) >> 3);
    for (; runBits >= 64; runBits -= 64, run += 8, out += 8) {
      const word = load<u64>(run);
      store<u64>(out, bits | (word << count));
      // In two steps, because a shift by 64 would be one by 0.
      bits = (word >> 1) >> (63 - count);
    }
    if (runBits > 0) {
      const word = load<u64>(run) & ((<u64>1 << runBits) - 1);
      store<u64>(out, bits | (word << count));
      const total = count + runBits;
      if (total >= 64) {
        out += 8;
        bits = (word >> 1) >> (63 - count);
        count = total - 64;
      } else {
        bits |= word << count;
        count = total;
      }
      out += <usize>(count >> 3);
      bits >>= count & 56;
      count &= 7;
    }
    run = nextRun;
    if (row == l.rows) break;

    const at = l.patch + (row + 1) * l.patchStride + l.channels;
    filterRun(load<u8>(l.filters + row), filtered, at, at - l.patchStride, l.channels, l.rowBytes);
    v128.store(rowEnd, i32x4.splat(0));
    sumRun(filtered, l.rowBytes);
    adler1 += runSum;
    adler2 = (adler2 + bytesLeft * runSum - runWeighted) % ADLER_BASE;
    bytesLeft -= l.frameStride;

    let from = filtered;
    for (; from + 4 <= rowEnd; from += 4) {
      const four = load<u32>(from);
      const a = load<u32>(codes + ((four & 255) << 2));
      const b = load<u32>(codes + (((four >> 8) & 255) << 2));
      const c = load<u32>(codes + (((four >> 16) & 255) << 2));
      const d = load<u32>(codes + ((four >> 24) << 2));
      const ab = (a & 0xffff) | ((b & 0xffff) << (a >> 16));
      const cd = (c & 0xffff) | ((d & 0xffff) << (c >> 16));
      const abBits = (a >> 16) + (b >> 16);
      // 4 codes of 14 bits and 7 bits left over fit into 64.
      bits |= (<u64>ab | (<u64>cd << abBits)) << count;
      count += abBits + (c >> 16) + (d >> 16);
      store<u64>(out, bits);
      out += <usize>(count >> 3);
      bits >>= count & 56;
      count &= 7;
    }
    for (; from < rowEnd; from++) {
      const code = load<u32>(codes + (<u32>load<u8>(from) << 2));
      bits |= <u64>(code & 0xffff) << count;
      count += code >> 16;
    }
    store<u64>(out, bits);
    out += <usize>(count >> 3);
    bits >>= count & 56;
    count &= 7;
  }

  store<u64>(out, bits);
  if (count > 0) out++;
  if (l.hasMore) {
    // What is left of an empty stored block (RFC 1951, 3.2.4), which ends at a byte.
    store<u32>(out, 0xffff0000);
    out += 4;
  }
  const end = writeChunk(l.out, 0x49444154, <i32>(out - data));
  store<u32>(end + 8, bswap<u32>(<u32>((adler2 << 16) | (adler1 % ADLER_BASE))));
  const last = writeChunk(end, 0x49444154, 4);
  writeChunk(last, 0x49454e44, 0);
  return <i32>(end - <usize>l.out);
}

/** Completes a chunk whose data is in place. @returns where the next one begins */
function writeChunk(chunk: usize, type: u32, bytes: i32): usize {
  store<u32>(chunk, bswap<u32>(bytes));
  store<u32>(chunk + 4, bswap<u32>(type));
  const end = chunk + 8 + <usize>bytes;
  store<u32>(end, bswap<u32>(crc32(chunk + 4, bytes + 4)));
  return end + 4;
}
