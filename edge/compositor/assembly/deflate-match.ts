// Where bytes occurred before, over the 32 KB that DEFLATE can look back (RFC
// 1951, 3.2.5): chains of positions with the same four bytes, and the last
// position with the same three, because few matches of three pay. Bytes that are
// not known yet (the mouth) take no part: `staticEnd` tells how far a match may
// reach from a position.

export const WINDOW: i32 = 32768;
export const MIN_MATCH: i32 = 3;
/** Bytes that the chains compare. */
export const MIN_INSERT: i32 = 4;
export const MAX_MATCH: i32 = 258;
/** Good enough to stop looking. */
const NICE_LENGTH = 130;
const HASH_BITS = 16;
/** Candidates kept per position. */
export const MAX_CANDIDATES = 6;

/** The last place of each three bytes, and of each four, which begin the chains. */
const lastOfThree = memory.data(4 << HASH_BITS, 4);
const heads = memory.data(4 << HASH_BITS, 4);
const previous = memory.data(4 * WINDOW, 4);

let bytes: usize = 0;
let rowBytes: i32 = 0;
let liveStart: i32 = 0;
let liveEnd: i32 = 0;
let firstRow: i32 = 0;
let endRow: i32 = 0;
let total: i32 = 0;
let maxChain: i32 = 0;

/**
 * Begins a stream.
 * @param from its bytes
 * @param start bytes of a row before the mouth, and @param end up to its end
 * @param first row of the mouth, and @param last the row after it
 * @param chain positions looked at for each byte; 0 finds no matches
 */
export function beginMatching(
  from: usize,
  count: i32,
  stride: i32,
  start: i32,
  end: i32,
  first: i32,
  last: i32,
  chain: i32,
): void {
  bytes = from;
  total = count;
  rowBytes = stride;
  liveStart = start;
  liveEnd = end;
  firstRow = first;
  endRow = last;
  maxChain = chain;
  memory.fill(heads, 0xff, 4 << HASH_BITS);
  memory.fill(lastOfThree, 0xff, 4 << HASH_BITS);
}

/** First position after `at` that is not static; `at` itself is. */
export function staticEnd(at: i32): i32 {
  const firstLive = firstRow * rowBytes + liveStart;
  if (at < firstLive) return firstLive;
  if (at >= (endRow - 1) * rowBytes + liveEnd) return total;
  const row = at / rowBytes;
  return (at - row * rowBytes < liveStart ? row : row + 1) * rowBytes + liveStart;
}

@inline
function hash(bits: u32): usize {
  return <usize>((bits * 0x9e3779b1) >> (32 - HASH_BITS)) << 2;
}

/** Makes position `at` known; `MIN_INSERT` static bytes follow. */
export function insert(at: i32): void {
  if (maxChain == 0) return;
  const four = load<u32>(bytes + at);
  store<i32>(lastOfThree + hash(four & 0xffffff), at);
  const head = heads + hash(four);
  store<i32>(previous + ((at & (WINDOW - 1)) << 2), load<i32>(head));
  store<i32>(head, at);
}

/**
 * Writes the matches at `at` to `to`, each longer than the one before: length
 * u16, distance u16 (32768 as 0).
 * @param end where they have to end at the latest
 * @returns how many
 */
export function findMatches(at: i32, end: i32, to: usize): i32 {
  const limit = min(end - at, MAX_MATCH);
  if (limit < MIN_MATCH || maxChain == 0) return 0;
  const oldest = max(0, at - WINDOW);
  const four = load<u32>(bytes + at);
  let found = 0;
  let longest = MIN_MATCH - 1;
  const near = load<i32>(lastOfThree + hash(four & 0xffffff));
  if (near >= oldest) {
    const usable = min(matchLength(near, at, limit), staticEnd(near) - near);
    if (usable > longest) {
      longest = usable;
      putMatch(to, found++, usable, at - near);
    }
  }
  let from = load<i32>(heads + hash(four));
  for (let chain = 0; chain < maxChain && from >= oldest && longest < limit; chain++) {
    // A longer match has to agree where the longest one ended.
    if (load<u8>(bytes + from + longest) == load<u8>(bytes + at + longest)) {
      const length = matchLength(from, at, limit);
      if (length > longest) {
        const usable = min(length, staticEnd(from) - from);
        if (usable > longest) {
          longest = usable;
          // The last place is for the longest.
          if (found == MAX_CANDIDATES) found--;
          putMatch(to, found++, usable, at - from);
          if (usable >= NICE_LENGTH) break;
        }
      }
    }
    const next = load<i32>(previous + ((from & (WINDOW - 1)) << 2));
    if (next >= from) break;
    from = next;
  }
  return found;
}

@inline
function putMatch(to: usize, place: i32, length: i32, distance: i32): void {
  store<u16>(to + (<usize>place << 2), length);
  store<u16>(to + (<usize>place << 2) + 2, distance);
}

function matchLength(from: i32, at: i32, limit: i32): i32 {
  let length = 0;
  while (length + 8 <= limit) {
    const difference = load<u64>(bytes + from + length) ^ load<u64>(bytes + at + length);
    if (difference != 0) return length + <i32>(ctz(difference) >> 3);
    length += 8;
  }
  while (length < limit && load<u8>(bytes + from + length) == load<u8>(bytes + at + length)) {
    length++;
  }
  return length;
}
