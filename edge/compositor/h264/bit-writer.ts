/**
 * Bits of parameter sets and slice headers, the most significant first, with
 * the Exp-Golomb codes of ITU-T H.264, clause 9.1.
 */
export class BitWriter {
  readonly #bytes: number[] = [];
  #bits = 0;

  /** Bits written so far. */
  get length(): number {
    return this.#bits;
  }

  /** u(n). @param count 32 at most */
  put(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit--) {
      if ((this.#bits & 7) === 0) this.#bytes.push(0);
      if ((value >>> bit) & 1) this.#bytes[this.#bytes.length - 1]! |= 0x80 >> (this.#bits & 7);
      this.#bits++;
    }
  }

  flag(value: boolean): void {
    this.put(Number(value), 1);
  }

  /** ue(v). @param value below 2^31 */
  ue(value: number): void {
    const length = 32 - Math.clz32(value + 1);
    this.put(0, length - 1);
    this.put(value + 1, length);
  }

  /** se(v), clause 9.1.1. */
  se(value: number): void {
    this.ue(value > 0 ? 2 * value - 1 : -2 * value);
  }

  /** What was written; the last byte is filled up with zeros. */
  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }

  /** The same with rbsp_trailing_bits, clause 7.3.2.11. */
  end(): Uint8Array<ArrayBuffer> {
    this.put(1, 1);
    return this.bytes();
  }
}
