// Reads the bits of a slice back (ITU-T H.264, clauses 7.2 and 9.1). Reading on
// beyond its end gives nothing but the mark that it is damaged.

let base: usize = 0;
let position: usize = 0;
let limit: usize = 0;
/** Whether something was read that no slice of ours has. */
export let isDamaged = false;

/** @param at `bytes` of them, and 8 more that may be read */
export function beginInput(at: usize, bytes: i32): void {
  base = at;
  position = 0;
  limit = <usize>bytes * 8;
  isDamaged = false;
}

export function markDamaged(): void {
  isDamaged = true;
}

/** The next 25 bits and more, the first of them the highest. */
@inline
export function peekBits(): u32 {
  return bswap<u32>(load<u32>(base + (position >> 3))) << <u32>(position & 7);
}

@inline
export function skipBits(count: u32): void {
  position += count;
  if (position <= limit) return;
  position = limit;
  isDamaged = true;
}

/** u(n). @param count 1 to 25 */
@inline
export function takeBits(count: u32): u32 {
  const value = peekBits() >> (32 - count);
  skipBits(count);
  return value;
}

/** ue(v), of values below 2^16 */
export function takeUe(): u32 {
  const zeros = clz<u32>(peekBits() | 0x8000);
  if (zeros == 16) {
    isDamaged = true;
    return 0;
  }
  skipBits(zeros);
  return takeBits(zeros + 1) - 1;
}

/** se(v), clause 9.1.1 */
export function takeSe(): i32 {
  const code = takeUe();
  return code & 1 ? <i32>((code + 1) >> 1) : -(<i32>(code >> 1));
}

/** Goes on at the next byte. */
export function alignInput(): void {
  position = (position + 7) & ~7;
  if (position > limit) isDamaged = true;
}

/** Copies whole bytes. */
export function takeBytes(to: usize, count: usize): void {
  if (position + 8 * count > limit) {
    isDamaged = true;
    return;
  }
  memory.copy(to, base + (position >> 3), count);
  position += 8 * count;
}

/** Whether nothing but rbsp_slice_trailing_bits is left (7.3.2.10). */
export function isAtEnd(): bool {
  return !isDamaged && limit - position <= 8 && limit > position && (peekBits() & 0x80000000) != 0;
}
