// Symbols of match lengths and distances (RFC 1951, 3.2.5).
import { MAX_MATCH, MIN_MATCH } from "./deflate-match";

/** The symbol of each match length, u16. */
const lengthSymbols = memory.data(2 * 260, 16);
let isBuilt = false;

/** To be called before `lengthSymbol`. */
export function buildSymbols(): void {
  if (isBuilt) return;
  for (let length = MIN_MATCH; length <= MAX_MATCH; length++) {
    let symbol: u32 = 257;
    while (symbol < 285 && <u32>length >= lengthBase(symbol + 1)) symbol++;
    store<u16>(lengthSymbols + (length << 1), <u16>symbol);
  }
  isBuilt = true;
}

@inline
export function lengthSymbol(length: i32): u32 {
  return load<u16>(lengthSymbols + (length << 1));
}

export function lengthExtra(symbol: u32): u32 {
  return symbol < 265 || symbol == 285 ? 0 : (symbol - 261) >> 2;
}

export function lengthBase(symbol: u32): u32 {
  if (symbol < 265) return symbol - 254;
  if (symbol == 285) return 258;
  const extra = (symbol - 261) >> 2;
  return 3 + ((4 + ((symbol - 265) & 3)) << extra);
}

export function distanceSymbol(distance: u32): u32 {
  if (distance <= 4) return distance - 1;
  const top = 31 - clz(distance - 1);
  return 2 * top + (((distance - 1) >> (top - 1)) & 1);
}

export function distanceExtra(symbol: u32): u32 {
  return symbol < 4 ? 0 : (symbol >> 1) - 1;
}

export function distanceBase(symbol: u32): u32 {
  if (symbol < 4) return symbol + 1;
  return 1 + ((2 + (symbol & 1)) << ((symbol >> 1) - 1));
}
