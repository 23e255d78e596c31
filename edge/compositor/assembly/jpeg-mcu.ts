// One MCU from pixels to quantised coefficients.
import { transformBlock } from "./jpeg-dct";
import {
  SAMPLE_BLOCK_BYTES,
  samples,
  takeAveragedMcu,
  takeFullMcu,
} from "./jpeg-pixels";
import { isAveraged, MULTIPLIER_BYTES, multipliers } from "./jpeg-tables";

export const BLOCK_BYTES: usize = 64 * 2;

/** Of the present MCU: its blocks in the order of coding, int16 [64] by position each. */
export const blocks = memory.data(6 * 128, 16);

/** Pixels of an MCU's side. */
export function mcuSide(): usize {
  return isAveraged ? 16 : 8;
}

/** Blocks of Y in an MCU; one of Cb and one of Cr follow. */
export function lumaBlocks(): usize {
  return isAveraged ? 4 : 1;
}

/** Fills `blocks`. @param pixels 8-bit RGB @param stride bytes from row to row */
export function transformMcu(pixels: usize, stride: usize): void {
  if (isAveraged) takeAveragedMcu(pixels, stride);
  else takeFullMcu(pixels, stride);
  const luma = lumaBlocks();
  for (let i: usize = 0; i < luma + 2; i++) {
    const table = i < luma ? multipliers : multipliers + MULTIPLIER_BYTES;
    transformBlock(samples + i * SAMPLE_BLOCK_BYTES, table, blocks + i * BLOCK_BYTES);
  }
}
