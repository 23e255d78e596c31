// Levels chosen by what they cost: one after the other, from the highest
// frequency down, is made smaller by one where that saves more bits than it
// loses quality. Only the offline coder has the time.
import { bitsWritten, popBits, pushBits } from "./bits";
import { putResidual } from "./cavlc";
import { multipliersOf } from "./quantisation-tables";

/** Place of each level of the scan among coefficients whose vertical frequency runs first. */
const PLACES = memory.data<u8>([0, 4, 1, 2, 5, 8, 12, 9, 6, 3, 7, 10, 13, 14, 11, 15], 16);
/**
 * What a bit is worth, in squared steps of the quantiser and units of 2^-16.
 * Of 5,000 to 11,500, which were tried, 7,000 needs the least.
 */
const BIT_WORTH: i32 = 7000;

const scratch = memory.data(512, 16);

function bitsOf(levels: usize, mask: u32, maxLevels: i32, nC: i32): i32 {
  pushBits(scratch);
  putResidual(levels, mask, maxLevels, nC);
  const bits = bitsWritten();
  popBits();
  return bits;
}

/**
 * @param coefficients int16 [16], vertical frequency first
 * @param levels int16, as `maxLevels` of them are coded: without the first if 15
 * @param mask a bit per level that is not 0
 * @returns the new mask
 */
export function refineLevels(
  coefficients: usize,
  levels: usize,
  mask: u32,
  maxLevels: i32,
  nC: i32,
  qp: i32,
): u32 {
  if (mask == 0) return 0;
  const multipliers = multipliersOf(qp);
  const toFraction = 7 + qp / 6;
  const first: usize = maxLevels == 15 ? 1 : 0;
  let best = mask;
  let bits = bitsOf(levels, best, maxLevels, nC);
  for (let rest = mask; rest != 0; ) {
    const i = 31 - clz<u32>(rest);
    rest ^= 1 << i;
    const at = levels + (<usize>i << 1);
    const level = <i32>load<i16>(at);
    const size = abs(level);
    if (size > 64) continue;
    const place = <usize>load<u8>(PLACES + i + first) << 1;
    // The level before rounding, in 256ths.
    const exact =
      (abs(<i32>load<i16>(coefficients + place)) * <i32>load<u16>(multipliers + place)) >> toFraction;
    const missNow = exact - (size << 8);
    const missThen = missNow + 256;
    const loss = missThen * missThen - missNow * missNow;
    if (loss > 16 * BIT_WORTH) continue;
    store<i16>(at, <i16>(level < 0 ? level + 1 : level - 1));
    const tried = size == 1 ? best ^ (1 << i) : best;
    const less = bitsOf(levels, tried, maxLevels, nC);
    if (loss < (bits - less) * BIT_WORTH) {
      best = tried;
      bits = less;
    } else {
      store<i16>(at, <i16>level);
    }
  }
  if (best == 0) return 0;
  // All of it may still cost more than it brings.
  let kept: i32 = 0;
  for (let rest = best; rest != 0; rest &= rest - 1) {
    const i = <usize>ctz<u32>(rest);
    const size = abs(<i32>load<i16>(levels + (i << 1)));
    if (size > 2) return best;
    const place = <usize>load<u8>(PLACES + i + first) << 1;
    const exact =
      (abs(<i32>load<i16>(coefficients + place)) * <i32>load<u16>(multipliers + place)) >> toFraction;
    kept += exact * exact - (exact - (size << 8)) * (exact - (size << 8));
  }
  if (kept < (bits - bitsOf(levels, 0, maxLevels, nC)) * BIT_WORTH) {
    memory.fill(levels, 0, <usize>maxLevels << 1);
    return 0;
  }
  return best;
}
