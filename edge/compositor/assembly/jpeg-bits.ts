// Runs of bits, kept as words: 64 bits each, the first of them the highest,
// little-endian in memory. They become the bytes of a file in `escapeBits`.

/** Shuffles the bytes of two words. */
const FIRST_BIT_FIRST = memory.data<u8>([7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8], 16);

/** Where the next whole word goes. */
export let wordAt: usize = 0;
/** Its lowest 64 - `free` bits wait to be stored; those above them have been. */
export let pending: u64 = 0;
/** Bits that there is room for in the word before it is stored: 0..64. */
export let free: i64 = 64;
let runStart: usize = 0;

/** @param out room for the run, rounded up to 8 bytes */
export function beginRun(out: usize): void {
  runStart = out;
  keepBits(out, 0, 64);
}

/** For coders that keep the state in locals meanwhile. */
@inline
export function keepBits(at: usize, bits: u64, room: i64): void {
  wordAt = at;
  pending = bits;
  free = room;
}

/** Completes the last word with ones, as segments of a JPEG file end. @returns bits of the run */
export function endRun(): u32 {
  const bits = (<u32>(wordAt - runStart) << 3) + <u32>(64 - free);
  if (free < 64) store<u64>(wordAt, (pending << free) | (((<u64>1) << free) - 1));
  return bits;
}

/** Appends the lowest `length` bits of `bits`, the rest of which is 0; 63 at most. */
export function putBits(bits: u64, length: i64): void {
  const room = free - length;
  if (room >= 0) {
    keepBits(wordAt, (pending << length) | bits, room);
    return;
  }
  store<u64>(wordAt, (pending << free) | (bits >> -room));
  keepBits(wordAt + 8, bits, room + 64);
}

/** Appends a run. @param words begins with its first bit */
export function putRun(words: usize, bits: u32): void {
  const whole = <usize>(bits >> 6) << 3;
  // Shifts by 64 are shifts by 0: with no bits held back, words are copied.
  if (free == 0) putWord();
  if (free == 64) memory.copy(wordAt, words, whole);
  else shiftIn(words, whole);
  wordAt += whole;
  const rest = <i64>(bits & 63);
  if (rest > 0) putBits(load<u64>(words + whole) >> (64 - rest), rest);
}

function putWord(): void {
  store<u64>(wordAt, pending);
  keepBits(wordAt + 8, 0, 64);
}

function shiftIn(words: usize, bytes: usize): void {
  const room = free;
  const held = 64 - room;
  const to = wordAt;
  let before = pending;
  for (let i: usize = 0; i < bytes; i += 8) {
    const word = load<u64>(words + i);
    store<u64>(to + i, (before << room) | (word >> held));
    before = word;
  }
  pending = before;
}

/**
 * Writes a run as bytes of an entropy-coded segment: ones up to the next byte
 * (ITU-T T.81, F.1.2.3), and a 0 after each byte of 0xFF (B.1.1.5).
 * Writes up to 32 bytes beyond the end.
 * @returns where the segment ends: at most two bytes per byte of the run
 */
export function escapeBits(words: usize, bits: u32, out: usize): usize {
  const end = words + <usize>((bits + 7) >> 3);
  let to = out;
  let from = words;
  for (; from + 16 <= end; from += 16, to += 16) {
    const sixteen = i8x16.swizzle(v128.load(from), v128.load(FIRST_BIT_FIRST));
    v128.store(to, sixteen);
    let marks = i8x16.bitmask(i8x16.eq(sixteen, i8x16.splat(-1)));
    for (; marks != 0; marks &= marks - 1, to++) {
      // What follows the 0xFF moves on by one.
      const after = to + <usize>ctz(marks) + 1;
      v128.store(after, v128.load(after), 1);
      store<u8>(after, 0);
    }
  }
  const rest = end - from;
  for (let i: usize = 0; i < rest; i++) {
    const byte = load<u8>(from + (i ^ 7));
    store<u8>(to++, byte);
    if (byte == 0xff) store<u8>(to++, 0);
  }
  return to;
}
