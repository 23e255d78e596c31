// Where bytes occurred before: chains of positions with the same three bytes,
// over the 32 KB that DEFLATE can look back (RFC 1951, 3.2.5). Bytes that are
// not known yet (the mouth) take no part: `staticEnd` tells how far a match may
// reach from a position.

export const WINDOW: i32 = 32768;
export const MIN_MATCH: i32 = 3;
export const MAX_MATCH: i32 = 258;
/** Good enough to stop looking. */
const NICE_LENGTH = 130;
const HASH_BITS = 16;
/** Candidates kept per position. */
export const MAX_CANDIDATES = 6;

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
}

/** First position after `at` that is not static; `at` itself is. */
export function staticEnd(at: i32): i32 {
  const firstLive = firstRow * rowBytes + liveStart;
  if (at < firstLive) return firstLive;
  if (at >= (endRow - 1) * rowBytes + liveEnd) return total;
  const row = at / rowBytes;
  return (at - row * rowBytes < liveStart ? row : row + 1) * rowBytes + liveStart;
}

function hashAt(at: i32): i32 {
  const three = load<u32>(bytes + at) & 0xffffff;
  return <i32>((three * 0x9e3779b1) >> (32 - HASH_BITS));
}

/** Makes position `at` known; three static bytes follow. */
export function insert(at: i32): void {
  if (maxChain == 0) return;
  const head = heads + (<usize>hashAt(at) << 2);
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
  if (limit < MIN_MATCH) return 0;
  let found = 0;
  let longest = MIN_MATCH - 1;
  let from = load<i32>(heads + (<usize>hashAt(at) << 2));
  const oldest = max(0, at - WINDOW);
  for (let chain = 0; chain < maxChain && from >= oldest; chain++) {
    // A longer match has to agree where the longest one ended.
    if (load<u8>(bytes + from + longest) == load<u8>(bytes + at + longest)) {
      const length = matchLength(from, at, limit);
      if (length > longest) {
        const usable = min(length, staticEnd(from) - from);
        if (usable > longest) {
          longest = usable;
          // The last place is for the longest.
          if (found == MAX_CANDIDATES) found--;
          store<u16>(to + (found << 2), usable);
          store<u16>(to + (found << 2) + 2, at - from);
          found++;
          if (usable >= NICE_LENGTH || usable == limit) break;
        }
      }
    }
    const next = load<i32>(previous + ((from & (WINDOW - 1)) << 2));
    if (next >= from) break;
    from = next;
  }
  return found;
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
