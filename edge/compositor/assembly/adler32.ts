// Adler-32 (RFC 1950, 8.2) of a stream whose parts are known at different
// times: s1 = 1 + sum of d[i] and s2 = n + sum of (n - i) d[i], modulo 65521,
// so each part adds its share whatever the others are.

export const ADLER_BASE: u64 = 65521;

/** Sum of a run's bytes. */
export let runSum: u64 = 0;
/** Sum of i times byte i of a run. */
export let runWeighted: u64 = 0;

/**
 * Sets `runSum` and `runWeighted` of `count` bytes. Up to 15 bytes beyond the
 * run are read, and have to be 0.
 * @param count at most 46,000, so that the 32-bit lanes hold the sums of the sums before
 */
export function sumRun(at: usize, count: i32): void {
  const blocks = (count + 15) >> 4;
  let sums = i32x4.splat(0);
  let prefixes = i32x4.splat(0);
  let inBlocks = i32x4.splat(0);
  const lowWeights = i16x8(0, 1, 2, 3, 4, 5, 6, 7);
  const highWeights = i16x8(8, 9, 10, 11, 12, 13, 14, 15);
  for (let block = 0; block < blocks; block++, at += 16) {
    const bytes = v128.load(at);
    prefixes = i32x4.add(prefixes, sums);
    sums = i32x4.add(
      sums,
      i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes)),
    );
    inBlocks = i32x4.add(
      inBlocks,
      i32x4.add(
        i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(bytes), lowWeights),
        i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(bytes), highWeights),
      ),
    );
  }
  runSum = addLanes(sums);
  // The sum over the blocks of 16 b S(b), from the sums of all blocks before each.
  runWeighted = 16 * (<u64>max(0, blocks - 1) * runSum - addLanes(prefixes)) + addLanes(inBlocks);
}

function addLanes(v: v128): u64 {
  return (
    <u64>(<u32>i32x4.extract_lane(v, 0)) +
    <u64>(<u32>i32x4.extract_lane(v, 1)) +
    <u64>(<u32>i32x4.extract_lane(v, 2)) +
    <u64>(<u32>i32x4.extract_lane(v, 3))
  );
}
