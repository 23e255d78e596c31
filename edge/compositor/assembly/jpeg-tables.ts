// What transform and coder look up, made from the tables as the file has them.
import { positionOf } from "./jpeg-dct";
import { AVERAGED_SCALE, FULL_SCALE } from "./jpeg-pixels";

/** Natural index `8 u + v` of each coefficient in the order of coding (ITU-T T.81, figure A.6). */
const ZIGZAG = memory.data<u8>([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
  13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52,
  45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
]);

/** Scale of each frequency in the results of `./jpeg-dct.ts`; the same as libjpeg's jcdctmgr.c. */
const AAN_SCALE = memory.data<f64>([
  1, 1.387039845, 1.306562965, 1.175875602, 1, 0.785694958, 0.5411961, 0.275899379,
]);

const DC_SYMBOLS = 12;
const AC_SYMBOLS = 162;

/** Bytes of a DC table of u32 by category, and of the AC table by symbol that follows it. */
export const AC_CODES: usize = 16 * 4;
export const CLASS_BYTES: usize = AC_CODES + 256 * 4;
export const MULTIPLIER_BYTES: usize = 64 * 4;

/**
 * Codes of luma, then of chroma: the code, room for the bits that follow it,
 * and 5 bits with the length of both.
 */
export const codes = memory.data(2 * (64 + 1024), 16);
/** What coefficients are multiplied with, by position: luma, then chroma. */
export const multipliers = memory.data(2 * 256, 16);
/** Offset in bytes of each coefficient in the order of coding, within a block by position. */
export const offsets = memory.data(64, 16);
/**
 * Shuffles that bring 64 bytes by position into the order of coding: for each
 * 16 of the result what it takes from each 16 of the source.
 */
export const shuffles = memory.data(4 * 4 * 16, 16);

/** Whether chroma is averaged over 2x2 pixels, and an MCU is 16x16 pixels. */
export let isAveraged = false;

/**
 * @param quantisation 2 tables of 64 bytes in the order of coding: luma, chroma; no 0
 * @param huffman DC and AC of luma, DC and AC of chroma, each as in DHT: 16
 *   counts and the symbols, 12 for DC and 162 for AC; must be a prefix code
 */
export function setTables(quantisation: usize, huffman: usize, averaged: i32): void {
  isAveraged = averaged != 0;
  orderPositions();
  setMultipliers(multipliers, quantisation, FULL_SCALE);
  const chromaScale = isAveraged ? AVERAGED_SCALE : FULL_SCALE;
  setMultipliers(multipliers + MULTIPLIER_BYTES, quantisation + 64, chromaScale);
  let table = huffman;
  for (let component: usize = 0; component < 2; component++) {
    const target = codes + component * CLASS_BYTES;
    setCodes(target, table);
    table += 16 + DC_SYMBOLS;
    setCodes(target + AC_CODES, table);
    table += 16 + AC_SYMBOLS;
  }
}

function orderPositions(): void {
  memory.fill(shuffles, 0x80, 256);
  for (let k = 0; k < 64; k++) {
    const natural = <i32>load<u8>(ZIGZAG + k);
    const position = positionOf(natural >> 3, natural & 7);
    store<u8>(offsets + k, <u8>(position * 2));
    const shuffle = (k >> 4) * 64 + (position >> 4) * 16 + (k & 15);
    store<u8>(shuffles + shuffle, <u8>(position & 15));
  }
}

function setMultipliers(target: usize, quantisation: usize, scale: f64): void {
  for (let k = 0; k < 64; k++) {
    const natural = <usize>load<u8>(ZIGZAG + k);
    const step =
      <f64>load<u8>(quantisation + k) *
      load<f64>(AAN_SCALE + ((natural >> 3) << 3)) *
      load<f64>(AAN_SCALE + ((natural & 7) << 3)) *
      (8 * scale);
    store<f32>(target + (<usize>load<u8>(offsets + k) << 1), <f32>(1 / step));
  }
}

/** ITU-T T.81, annex C. */
function setCodes(target: usize, table: usize): void {
  let symbols = table + 16;
  let code: u32 = 0;
  for (let length: u32 = 1; length <= 16; length++) {
    for (let count = load<u8>(table + length - 1); count > 0; count--) {
      const symbol = load<u8>(symbols++);
      const extra = <u32>(symbol & 15);
      store<u32>(target + (<usize>symbol << 2), (code << (extra + 5)) | (length + extra));
      code++;
    }
    code <<= 1;
  }
}
