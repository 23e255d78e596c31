// Run time: the MCUs under the mouth are transformed and coded, and the static
// bits of their rows are shifted in around them. `../jpeg/jpeg-splicer.ts`
// fills in the layout.
import { beginRun, endRun, escapeBits, putBits, putRun } from "./jpeg-bits";
import { codeDifference } from "./jpeg-block";
import { mcuSide } from "./jpeg-mcu";
import { codeMcus, codesOf, differenceTo, predictors } from "./jpeg-run";
import { RowRecord, runBytes } from "./jpeg-row";

@unmanaged
class SpliceLayout {
  /** The mouth and what fills its MCUs up, 8-bit RGB without gaps. */
  patch: i32;
  /** MCUs per row of the patch. */
  columns: i32;
  rows: i32;
  /** Whether static MCUs follow in each row. */
  hasAfter: i32;
  /** The first row's place among the rows of the frame. */
  firstRow: i32;
  frameRows: i32;
  /** A `RowRecord` per row, and their runs. */
  records: i32;
  runs: i32;
  /** Room for the bits of a row. */
  words: i32;
  out: i32;
}

/** Writes the rows' part of the file; expects the frame's tables. @returns its bytes */
export function spliceJpeg(layoutAt: usize): i32 {
  const l = changetype<SpliceLayout>(layoutAt);
  const side = mcuSide();
  const stride = <usize>l.columns * side * 3;
  let pixels: usize = l.patch;
  let record: usize = l.records;
  let run: usize = l.runs;
  let out: usize = l.out;
  for (let row = l.firstRow; row < l.firstRow + l.rows; row++) {
    const r = changetype<RowRecord>(record);
    beginRun(l.words);
    run = putStatic(run, r.left);
    store<i32>(predictors, r.beforeDcY);
    store<i32>(predictors, r.beforeDcCb, 4);
    store<i32>(predictors, r.beforeDcCr, 8);
    codeMcus(pixels, stride, l.columns);
    if (l.hasAfter) {
      putDifference(0, r.afterDcY);
      run = putStatic(run, r.afterY);
      putDifference(1, r.afterDcCb);
      run = putStatic(run, r.afterCb);
      putDifference(2, r.afterDcCr);
      run = putStatic(run, r.afterCr);
    }
    out = escapeBits(l.words, endRun(), out);
    if (row + 1 < l.frameRows) {
      // RSTm (ITU-T T.81, B.2.1), which counts modulo 8
      store<u16>(out, <u16>(0xd0ff + ((row & 7) << 8)));
      out += 2;
    }
    pixels += stride * side;
    record += offsetof<RowRecord>();
  }
  return <i32>(out - <usize>l.out);
}

/** @returns where the next run begins */
function putStatic(run: usize, bits: u32): usize {
  putRun(run, bits);
  return run + runBytes(bits);
}

function putDifference(component: usize, dc: i32): void {
  const code = codeDifference(codesOf(component), differenceTo(component, dc));
  putBits(code >> 5, code & 31);
}
