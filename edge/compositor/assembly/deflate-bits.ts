// Bits as DEFLATE has them, the least significant first (RFC 1951, 3.1.1).

// Where they go, and those that do not fill a byte yet.
let out: usize = 0;
let bitBuffer: u64 = 0;
let bitCount: u64 = 0;

export function beginBits(at: usize): void {
  out = at;
  bitBuffer = 0;
  bitCount = 0;
}

export function putBits(value: u32, count: u32): void {
  bitBuffer |= <u64>value << bitCount;
  bitCount += count;
  store<u64>(out, bitBuffer);
  out += <usize>(bitCount >> 3);
  bitBuffer >>= bitCount & 56;
  bitCount &= 7;
}

/** Goes on to the next byte. @returns where it is */
export function alignBits(): usize {
  if (bitCount > 0) out++;
  bitBuffer = 0;
  bitCount = 0;
  return out;
}

/** Bits since `start`, a byte at which bits began. */
export function bitsSince(start: usize): u32 {
  return <u32>(((out - start) << 3) + <usize>bitCount);
}

/** An empty stored block, which ends at a byte (as zlib's Z_SYNC_FLUSH). */
export function putAlignment(): void {
  putBits(0, 3);
  store<u32>(alignBits(), 0xffff0000);
  out += 4;
}

/** @param code code | length << 16 */
export function putCode(code: u32): void {
  putBits(code & 0xffff, code >> 16);
}
