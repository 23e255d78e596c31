// Bits as NAL units have them, the most significant first, and Exp-Golomb codes
// (ITU-T H.264, clauses 7.2 and 9.1).

let start: usize = 0;
let out: usize = 0;
/** Its lowest `heldBits` bits, always fewer than 32, wait to be stored. */
let held: u64 = 0;
let heldBits: u32 = 0;

// A writer that waits while another counts what a candidate would cost, and
// the place to which a macroblock that is too long goes back.
let waitingStart: usize = 0;
let waitingOut: usize = 0;
let waitingHeld: u64 = 0;
let waitingBits: u32 = 0;
let markOut: usize = 0;
let markHeld: u64 = 0;
let markBits: u32 = 0;

/** @param at room for all that is written and 8 bytes */
export function beginBits(at: usize): void {
  start = at;
  out = at;
  held = 0;
  heldBits = 0;
}

/** Sets the present bits aside and begins others. */
export function pushBits(at: usize): void {
  waitingStart = start;
  waitingOut = out;
  waitingHeld = held;
  waitingBits = heldBits;
  beginBits(at);
}

/** Goes on with the bits that were set aside. */
export function popBits(): void {
  start = waitingStart;
  out = waitingOut;
  held = waitingHeld;
  heldBits = waitingBits;
}

export function markBitsHere(): void {
  markOut = out;
  markHeld = held;
  markBits = heldBits;
}

/** Forgets what was written since the mark. */
export function rewindBits(): void {
  out = markOut;
  held = markHeld;
  heldBits = markBits;
}

/** Bits since the beginning. */
export function bitsWritten(): i32 {
  return (<i32>(out - start) << 3) + <i32>heldBits;
}

/** Bits since the mark. */
export function bitsSinceMark(): i32 {
  return (<i32>(out - markOut) << 3) + <i32>heldBits - <i32>markBits;
}

/** @param value below 2^count @param count 32 at most */
export function putBits(value: u32, count: u32): void {
  held = (held << count) | value;
  heldBits += count;
  if (heldBits >= 32) {
    heldBits -= 32;
    store<u32>(out, bswap<u32>(<u32>(held >> heldBits)));
    out += 4;
  }
}

/** @param code length << 16 | bits */
@inline
export function putCode(code: u32): void {
  putBits(code & 0xffff, code >> 16);
}

/** ue(v), clause 9.1. @param value below 65,535 */
export function putUe(value: u32): void {
  putBits(value + 1, ueBits(value));
}

/** se(v), clause 9.1.1. */
export function putSe(value: i32): void {
  putUe(value > 0 ? 2 * value - 1 : -2 * value);
}

@inline
export function ueBits(value: u32): u32 {
  return 63 - 2 * clz<u32>(value + 1);
}

@inline
export function seBits(value: i32): u32 {
  return ueBits(value > 0 ? 2 * value - 1 : -2 * value);
}

/** Appends whole bytes, after zero bits up to the next byte: pcm_alignment_zero_bit, clause 7.3.5. */
export function alignBits(): void {
  putBits(0, (8 - (heldBits & 7)) & 7);
}

/** Copies the first `count` bits found at `from`. */
export function copyBits(from: usize, count: i32): void {
  for (; count >= 8; count -= 8) putBits(load<u8>(from++), 8);
  if (count > 0) putBits(load<u8>(from) >> <u8>(8 - count), count);
}

/** rbsp_slice_trailing_bits, clause 7.3.2.10. @returns bytes written */
export function endBits(): i32 {
  putBits(1, 1);
  alignBits();
  for (; heldBits > 0; heldBits -= 8) store<u8>(out++, <u8>(held >> (heldBits - 8)));
  return <i32>(out - start);
}
