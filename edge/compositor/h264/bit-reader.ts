/** Bits of a parameter set, the most significant first (ITU-T H.264, 7.2 and 9.1). */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bits read so far. */
  get position(): number {
    return this.#at;
  }

  /** u(n). @throws RangeError behind the end */
  take(count: number): number {
    let value = 0;
    for (let n = 0; n < count; n++) {
      const byte = this.#bytes[this.#at >> 3];
      if (byte === undefined) throw new RangeError("a parameter set is cut off");
      value = 2 * value + ((byte >> (7 - (this.#at & 7))) & 1);
      this.#at++;
    }
    return value;
  }

  /** ue(v). @throws RangeError behind the end */
  ue(): number {
    let zeros = 0;
    while (this.take(1) === 0) zeros++;
    return 2 ** zeros - 1 + this.take(zeros);
  }
}

/** A NAL unit's RBSP: without start code, header and emulation prevention (7.3.1). */
export function rbspOf(unit: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  let zeros = 0;
  for (let at = unit.indexOf(1) + 2; at < unit.length; at++) {
    const byte = unit[at]!;
    const isEscape = zeros >= 2 && byte === 3;
    zeros = byte === 0 ? zeros + 1 : 0;
    if (!isEscape) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
