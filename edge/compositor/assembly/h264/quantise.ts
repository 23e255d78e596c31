// Quantisation of a block, and its scaling back (ITU-T H.264, 8.5.12.1).
import { nonZeroMask } from "./cavlc";
import { multipliersOf, scalesOf } from "./quantisation-tables";

/** Larger levels have no code in the profiles for 4:2:0 (9.2.2.1: level_prefix is 15 at most). */
const MAX_LEVEL: i16 = 2047;

/** Shares of a step below which a level stays away from rounding up, in 64ths. */
export const INTRA_ROUNDING: i32 = 21;
export const INTER_ROUNDING: i32 = 14;

let multipliers: usize = 0;
let scales: usize = 0;
let rounding: v128 = i32x4.splat(0);
let shift: i32 = 0;

/** @param roundingShare in 64ths of a step */
export function setQuantiser(qp: i32, roundingShare: i32): void {
  multipliers = multipliersOf(qp);
  scales = scalesOf(qp);
  shift = 15 + qp / 6;
  rounding = i32x4.splat((roundingShare << shift) >> 6);
}

@inline
function quantise8(coefficients: v128, factors: v128): v128 {
  const sizes = i16x8.abs(coefficients);
  const low = i32x4.shr_u(i32x4.add(i32x4.extmul_low_i16x8_u(sizes, factors), rounding), shift);
  const high = i32x4.shr_u(i32x4.add(i32x4.extmul_high_i16x8_u(sizes, factors), rounding), shift);
  const levels = i16x8.min_s(i16x8.narrow_i32x4_s(low, high), i16x8.splat(MAX_LEVEL));
  const signs = i16x8.shr_s(coefficients, 15);
  return i16x8.sub(v128.xor(levels, signs), signs);
}

/**
 * Quantises a block.
 * @param coefficients int16 [16], vertical frequency first
 * @param levels int16 [16], in the order of the zig-zag scan (Table 8-2)
 * @param hasDc whether the first coefficient counts; it becomes 0 otherwise
 * @returns a bit per level that is not 0
 */
export function quantiseBlock(coefficients: usize, levels: usize, hasDc: bool): u32 {
  const a = quantise8(v128.load(coefficients), v128.load(multipliers));
  const b = quantise8(v128.load(coefficients, 16), v128.load(multipliers, 16));
  let low = i16x8.shuffle(a, b, 0, 4, 1, 2, 5, 8, 12, 9);
  const high = i16x8.shuffle(a, b, 6, 3, 7, 10, 13, 14, 11, 15);
  if (!hasDc) low = i16x8.replace_lane(low, 0, 0);
  v128.store(levels, low);
  v128.store(levels, high, 16);
  return nonZeroMask(low, high);
}

/** Back from levels to scaled coefficients, vertical frequency first. */
export function scaleBlock(levels: usize, coefficients: usize): void {
  const low = v128.load(levels);
  const high = v128.load(levels, 16);
  const a = i16x8.shuffle(low, high, 0, 2, 3, 9, 1, 4, 8, 10);
  const b = i16x8.shuffle(low, high, 5, 7, 11, 14, 6, 12, 13, 15);
  v128.store(coefficients, i16x8.mul(a, v128.load(scales)));
  v128.store(coefficients, i16x8.mul(b, v128.load(scales, 16)), 16);
}

/** Quantises a DC whose transform is larger by 2^`extraBits` than that of a block. */
@inline
export function quantiseDc(value: i32, extraBits: i32, roundingShare: i32): i32 {
  const total = shift + extraBits;
  const size = <i64>abs(value) * <i64>load<u16>(multipliers);
  const level = <i32>((size + ((<i64>roundingShare << total) >> 6)) >> total);
  return value < 0 ? -min(level, <i32>MAX_LEVEL) : min(level, <i32>MAX_LEVEL);
}

/** LevelScale4x4(qP % 6, 0, 0) << (qP / 6), with its factor of 16. */
@inline
export function dcScale(): i32 {
  return <i32>load<i16>(scales) << 4;
}
