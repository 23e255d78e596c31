// Entropy coding of a block (ITU-T T.81, F.1.2) in time proportional to its
// coefficients that are not 0.
import { free, keepBits, pending, wordAt } from "./jpeg-bits";
import { AC_CODES, offsets, shuffles } from "./jpeg-tables";

/** Stands for 16 zeros that another coefficient follows. */
export const ZERO_RUN_SYMBOL = 0xf0;
export const END_OF_BLOCK_SYMBOL = 0;

/**
 * The code of a DC difference and its bits; in the lowest 5 the length of both.
 * @param codes a component's, from `./jpeg-tables.ts`
 */
export function codeDifference(codes: usize, difference: i32): u32 {
  const sign = difference >> 31;
  const size = 32 - clz((difference ^ sign) - sign);
  const extra = <u32>(difference + sign) & ((1 << size) - 1);
  return load<u32>(codes + (<usize>size << 2)) | (extra << 5);
}

/**
 * Codes a block behind the bits of the present run.
 * @param coefficients int16 [64], by position
 * @param codes its component's
 * @param dc from `codeDifference`; 0 to leave the DC coefficient out
 */
export function codeBlock(coefficients: usize, codes: usize, dc: u32): void {
  const ac = codes + AC_CODES;
  let at = wordAt;
  let bits = pending;
  let room = free;
  let code = <u64>(dc >> 5);
  let length = <i64>(dc & 31);
  let mask = maskCoefficients(coefficients) & ~1;
  // Whether the last coefficient has been coded, or the end of the block.
  let isEnded = mask >> 63 != 0;
  let previous = 0;
  for (;;) {
    room -= length;
    if (room >= 0) bits = (bits << length) | code;
    else {
      store<u64>(at, (bits << (room + length)) | (code >> -room));
      at += 8;
      room += 64;
      bits = code;
    }
    if (mask == 0) {
      if (isEnded) break;
      isEnded = true;
      const end = load<u32>(ac + (END_OF_BLOCK_SYMBOL << 2));
      code = <u64>(end >> 5);
      length = <i64>(end & 31);
      continue;
    }
    const index = <i32>ctz(mask);
    const run = index - previous - 1;
    if (run > 15) {
      previous += 16;
      const zeros = load<u32>(ac + (ZERO_RUN_SYMBOL << 2));
      code = <u64>(zeros >> 5);
      length = <i64>(zeros & 31);
      continue;
    }
    mask &= mask - 1;
    previous = index;
    const value = <i32>load<i16>(coefficients + <usize>load<u8>(offsets + index));
    const sign = value >> 31;
    const size = 32 - clz((value ^ sign) - sign);
    const extra = <u32>(value + sign) & ((1 << size) - 1);
    const symbol = load<u32>(ac + (<usize>((run << 4) | size) << 2));
    code = <u64>((symbol >> 5) | extra);
    length = <i64>(symbol & 31);
  }
  keepBits(at, bits, room);
}

/** Which coefficients of a block are not 0; the lowest bit is the first in the order of coding. */
export function maskCoefficients(coefficients: usize): u64 {
  // Narrowing saturates, so what is not 0 stays so.
  const a = narrow(coefficients);
  const b = narrow(coefficients + 32);
  const c = narrow(coefficients + 64);
  const d = narrow(coefficients + 96);
  // The zigzag meets a, where both frequencies are low, only in its first half
  // and d only in its second.
  const first = v128.or(v128.or(pick(a, 0), pick(b, 1)), pick(c, 2));
  const second = v128.or(v128.or(pick(a, 4), pick(b, 5)), pick(c, 6));
  const third = v128.or(v128.or(pick(b, 9), pick(c, 10)), pick(d, 11));
  const fourth = v128.or(v128.or(pick(b, 13), pick(c, 14)), pick(d, 15));
  const low = marks(first) | (marks(second) << 16);
  const high = marks(third) | (marks(fourth) << 16);
  return <u64>low | (<u64>high << 32);
}

@inline
function narrow(at: usize): v128 {
  return i8x16.narrow_i16x8_s(v128.load(at), v128.load(at, 16));
}

@inline
function pick(source: v128, shuffle: usize): v128 {
  return i8x16.swizzle(source, v128.load(shuffles + (shuffle << 4)));
}

@inline
function marks(values: v128): u32 {
  return <u32>i8x16.bitmask(i8x16.ne(values, i8x16.splat(0)));
}
