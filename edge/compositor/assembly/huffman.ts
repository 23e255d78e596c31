// An optimal prefix code (Huffman 1952) with a limit on its lengths, and the
// codes that belong to lengths.

const MAX_CODE_BITS: i32 = 15;

/** Room for `buildLengths`: two arrays of nodes for alphabets of up to 288 symbols. */
const MAX_SYMBOLS = 288;
const weights = memory.data(2 * MAX_SYMBOLS * 4, 4);
const parents = memory.data(2 * MAX_SYMBOLS * 4, 4);
const order = memory.data(MAX_SYMBOLS * 4, 4);
const lengthCounts = memory.data(4 * 64, 4);

/**
 * Writes the length of each symbol's code to `lengths`, u8; 0 for symbols that
 * do not occur. Of a single symbol the code has one bit (RFC 1951, 3.2.7).
 * @param counts how often each symbol occurs, u32
 */
export function buildLengths(counts: usize, symbols: i32, maxBits: i32, lengths: usize): void {
  memory.fill(lengths, 0, symbols);
  let used = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    if (load<u32>(counts + (symbol << 2)) > 0) store<u32>(order + (used++ << 2), symbol);
  }
  if (used == 0) return;
  if (used == 1) {
    store<u8>(lengths + load<u32>(order), 1);
    return;
  }
  sortByCount(counts, used);
  buildTree(counts, used);
  countLengths(used, maxBits);
  limitLengths(used, maxBits);
  assign(lengths, used, maxBits);
}

/** Insertion sort over a shell sequence: a few hundred symbols, and ties stay in a fixed order. */
function sortByCount(counts: usize, used: i32): void {
  for (let gap = 121; gap > 0; gap = (gap - 1) / 3) {
    for (let i = gap; i < used; i++) {
      const symbol = load<u32>(order + (i << 2));
      let j = i;
      for (; j >= gap; j -= gap) {
        const other = load<u32>(order + ((j - gap) << 2));
        if (!isBefore(counts, symbol, other)) break;
        store<u32>(order + (j << 2), other);
      }
      store<u32>(order + (j << 2), symbol);
    }
  }
}

function isBefore(counts: usize, a: u32, b: u32): bool {
  const countA = load<u32>(counts + (a << 2));
  const countB = load<u32>(counts + (b << 2));
  return countA != countB ? countA < countB : a < b;
}

/** Leaves 0..used-1 in rising order; inner nodes follow in the order in which they arise. */
function buildTree(counts: usize, used: i32): void {
  for (let i = 0; i < used; i++) {
    store<u32>(weights + (i << 2), load<u32>(counts + (load<u32>(order + (i << 2)) << 2)));
  }
  let leaf = 0;
  let inner = used;
  for (let node = used; node < 2 * used - 1; node++) {
    let weight: u32 = 0;
    for (let child = 0; child < 2; child++) {
      const isLeaf =
        leaf < used &&
        (inner >= node || load<u32>(weights + (leaf << 2)) <= load<u32>(weights + (inner << 2)));
      const taken = isLeaf ? leaf++ : inner++;
      weight += load<u32>(weights + (taken << 2));
      store<u32>(parents + (taken << 2), node);
    }
    store<u32>(weights + (node << 2), weight);
  }
}

/** How many codes have each length; longer ones than 63 cannot arise from 32-bit counts. */
function countLengths(used: i32, maxBits: i32): void {
  memory.fill(lengthCounts, 0, 4 * 64);
  const root = 2 * used - 2;
  // Depths replace weights, which have served.
  store<u32>(weights + (root << 2), 0);
  for (let node = root - 1; node >= 0; node--) {
    const parent = load<u32>(parents + (node << 2));
    const depth = load<u32>(weights + (parent << 2)) + 1;
    store<u32>(weights + (node << 2), depth);
    if (node >= used) continue;
    const at = lengthCounts + (min<u32>(depth, maxBits) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}

/** Cutting long codes short takes room that shorter ones have to give (Kraft's inequality). */
function limitLengths(used: i32, maxBits: i32): void {
  let total: u32 = 0;
  for (let length = 1; length <= maxBits; length++) {
    total += load<u32>(lengthCounts + (length << 2)) << (maxBits - length);
  }
  const room = <u32>1 << maxBits;
  while (total > room) {
    const last = lengthCounts + (maxBits << 2);
    store<u32>(last, load<u32>(last) - 1);
    let length = maxBits - 1;
    while (load<u32>(lengthCounts + (length << 2)) == 0) length--;
    const at = lengthCounts + (length << 2);
    store<u32>(at, load<u32>(at) - 1);
    store<u32>(at + 4, load<u32>(at + 4) + 2);
    total--;
  }
}

/** The rarest symbols get the longest codes. */
function assign(lengths: usize, used: i32, maxBits: i32): void {
  let at = 0;
  for (let length = maxBits; length > 0; length--) {
    let count = load<u32>(lengthCounts + (length << 2));
    for (; count > 0; count--) store<u8>(lengths + load<u32>(order + (at++ << 2)), <u8>length);
  }
}

/**
 * Canonical codes (RFC 1951, 3.2.2) with their bits reversed, as they are
 * written: code | length << 16.
 */
export function canonicalCodes(lengths: usize, symbols: i32, codes: usize): void {
  let code: u32 = 0;
  for (let length: u32 = 1; length <= <u32>MAX_CODE_BITS; length++) {
    code <<= 1;
    for (let symbol = 0; symbol < symbols; symbol++) {
      if (load<u8>(lengths + symbol) != length) continue;
      store<u32>(codes + (symbol << 2), reverse(code, length) | (length << 16));
      code++;
    }
  }
}

function reverse(code: u32, length: u32): u32 {
  let reversed: u32 = 0;
  for (let i: u32 = 0; i < length; i++) reversed |= ((code >> i) & 1) << (length - 1 - i);
  return reversed & 0xffff;
}
