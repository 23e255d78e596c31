// A row of MCUs, which is a restart interval of its own: coded as a whole, or
// the static part of one that the mouth crosses.
import { beginRun, endRun, escapeBits } from "./jpeg-bits";
import { codeBlock } from "./jpeg-block";
import { BLOCK_BYTES, blocks, lumaBlocks, mcuSide, transformMcu } from "./jpeg-mcu";
import { codeMcus, codeNext, codesOf, predictors, restartPrediction } from "./jpeg-run";

/**
 * What splicing knows of a row, as it lies in a prepared frame. Of the first
 * MCU after the mouth, the first DC difference of each component depends on the
 * mouth; in front of these three the row's static bits are cut.
 */
@unmanaged
export class RowRecord {
  /** Bits before the mouth. */
  left: u32;
  /** Bits after the DC differences of Y, Cb and Cr; 0 where the mouth ends the row. */
  afterY: u32;
  afterCb: u32;
  afterCr: u32;
  /** DC coefficients before the mouth. */
  beforeDcY: i16;
  beforeDcCb: i16;
  beforeDcCr: i16;
  /** The first DC coefficients after it. */
  afterDcY: i16;
  afterDcCb: i16;
  afterDcCr: i16;
}

/**
 * Codes a whole row as its part of the file, without a marker.
 * @param pixels 8-bit RGB of the row
 * @param stride bytes from row to row
 * @param words room for the row's bits
 * @returns where it ends
 */
export function codeRow(pixels: usize, stride: usize, mcus: i32, words: usize, out: usize): usize {
  restartPrediction();
  beginRun(words);
  codeMcus(pixels, stride, mcus);
  return escapeBits(words, endRun(), out);
}

/**
 * Codes what is left and right of the mouth as the four runs of a record.
 * @param pixels 8-bit RGB of the row
 * @param stride bytes from row to row
 * @param start first MCU of the mouth
 * @param end first MCU after the mouth
 * @param out room for the row's bits, with each run rounded up to 8 bytes
 * @returns where the last run ends
 */
export function codeStaticRuns(
  pixels: usize,
  stride: usize,
  mcus: i32,
  start: i32,
  end: i32,
  recordAt: usize,
  out: usize,
): usize {
  const record = changetype<RowRecord>(recordAt);
  restartPrediction();
  beginRun(out);
  codeMcus(pixels, stride, start);
  record.left = endRun();
  out += runBytes(record.left);
  record.beforeDcY = load<i16>(predictors);
  record.beforeDcCb = load<i16>(predictors, 4);
  record.beforeDcCr = load<i16>(predictors, 8);
  memory.fill(recordAt + offsetof<RowRecord>("afterY"), 0, 12);
  memory.fill(recordAt + offsetof<RowRecord>("afterDcY"), 0, 6);
  if (end == mcus) return out;

  const step = mcuSide() * 3;
  const luma = lumaBlocks();
  const following = pixels + <usize>end * step;
  transformMcu(following, stride);
  record.afterDcY = beginAfterDc(0, 0, out);
  for (let i: usize = 1; i < luma; i++) codeNext(i, 0);
  record.afterY = endRun();
  out += runBytes(record.afterY);
  record.afterDcCb = beginAfterDc(luma, 1, out);
  record.afterCb = endRun();
  out += runBytes(record.afterCb);
  record.afterDcCr = beginAfterDc(luma + 1, 2, out);
  codeMcus(following + step, stride, mcus - end - 1);
  record.afterCr = endRun();
  return out + runBytes(record.afterCr);
}

/** Bytes of the words of a run. */
export function runBytes(bits: u32): usize {
  return <usize>((bits + 63) >> 6) << 3;
}

/** Begins a run with a block of the present MCU without its DC difference. @returns the DC coefficient */
function beginAfterDc(block: usize, component: usize, out: usize): i16 {
  const at = blocks + block * BLOCK_BYTES;
  beginRun(out);
  const dc = load<i16>(at);
  store<i32>(predictors + (component << 2), dc);
  codeBlock(at, codesOf(component), 0);
  return dc;
}
