// Runs of MCUs of one row, and the DC prediction that links them (ITU-T T.81, F.1.1.5.1).
import { codeBlock, codeDifference } from "./jpeg-block";
import { countBlock } from "./jpeg-count";
import { BLOCK_BYTES, blocks, lumaBlocks, mcuSide, transformMcu } from "./jpeg-mcu";
import { CLASS_BYTES, codes } from "./jpeg-tables";

/** int32 [3]: the DC coefficients before those that are coded next: Y, Cb, Cr. */
export const predictors = memory.data(3 * 4, 4);

/** As at the beginning of a restart interval. */
export function restartPrediction(): void {
  memory.fill(predictors, 0, 12);
}

/** Difference of a DC coefficient to the one before, whose place it takes. */
@inline
export function differenceTo(component: usize, dc: i32): i32 {
  const at = predictors + (component << 2);
  const difference = dc - load<i32>(at);
  store<i32>(at, dc);
  return difference;
}

/** @param block of the present MCU @param component 0 Y, 1 Cb, 2 Cr */
export function codeNext(block: usize, component: usize): void {
  const at = blocks + block * BLOCK_BYTES;
  const table = codesOf(component);
  codeBlock(at, table, codeDifference(table, differenceTo(component, load<i16>(at))));
}

@inline
export function codesOf(component: usize): usize {
  return component == 0 ? codes : codes + CLASS_BYTES;
}

/**
 * Codes MCUs behind the bits of the present run.
 * @param pixels of the first: 8-bit RGB
 * @param stride bytes from row to row
 */
export function codeMcus(pixels: usize, stride: usize, mcus: i32): void {
  const step = mcuSide() * 3;
  const luma = lumaBlocks();
  for (let mcu = 0; mcu < mcus; mcu++, pixels += step) {
    transformMcu(pixels, stride);
    for (let i: usize = 0; i < luma; i++) codeNext(i, 0);
    codeNext(luma, 1);
    codeNext(luma + 1, 2);
  }
}

/** Counts the symbols that `codeMcus` would write. */
export function countMcus(pixels: usize, stride: usize, mcus: i32): void {
  const step = mcuSide() * 3;
  const luma = lumaBlocks();
  for (let mcu = 0; mcu < mcus; mcu++, pixels += step) {
    transformMcu(pixels, stride);
    for (let i: usize = 0; i < luma; i++) countNext(i, 0);
    countNext(luma, 1);
    countNext(luma + 1, 2);
  }
}

function countNext(block: usize, component: usize): void {
  const at = blocks + block * BLOCK_BYTES;
  countBlock(at, component, differenceTo(component, load<i16>(at)));
}
