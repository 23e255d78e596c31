// How often each Huffman symbol would be coded, for tables that fit a frame.
import { END_OF_BLOCK_SYMBOL, maskCoefficients, ZERO_RUN_SYMBOL } from "./jpeg-block";
import { offsets } from "./jpeg-tables";

/** 256 x u32 each: DC and AC of luma, DC and AC of chroma. */
const counts = memory.data(4 * 256 * 4, 16);
const TABLE_COUNT_BYTES: usize = 256 * 4;

export function countsStart(): usize {
  return counts;
}

export function clearCounts(): void {
  memory.fill(counts, 0, 4 * TABLE_COUNT_BYTES);
}

/**
 * @param coefficients int16 [64], by position
 * @param component 0 Y, 1 Cb, 2 Cr
 * @param difference of the DC coefficient
 */
export function countBlock(coefficients: usize, component: usize, difference: i32): void {
  const dc = component == 0 ? counts : counts + 2 * TABLE_COUNT_BYTES;
  const ac = dc + TABLE_COUNT_BYTES;
  count(dc, 32 - clz(abs(difference)));
  const mask = maskCoefficients(coefficients) & ~1;
  let previous = 0;
  for (let left = mask; left != 0; left &= left - 1) {
    const index = <i32>ctz(left);
    let run = index - previous - 1;
    for (; run > 15; run -= 16) count(ac, ZERO_RUN_SYMBOL);
    const value = <i32>load<i16>(coefficients + <usize>load<u8>(offsets + index));
    count(ac, (run << 4) | (32 - clz(abs(value))));
    previous = index;
  }
  if (previous < 63) count(ac, END_OF_BLOCK_SYMBOL);
}

@inline
function count(table: usize, symbol: i32): void {
  const at = table + (<usize>symbol << 2);
  store<u32>(at, load<u32>(at) + 1);
}
