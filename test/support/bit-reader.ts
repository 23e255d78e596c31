/** Reads what `edge/compositor/h264/bit-writer.ts` and its kin write (ITU-T H.264, 7.2 and 9.1). */
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

  bit(): number {
    const bit = (this.#bytes[this.#at >> 3]! >> (7 - (this.#at & 7))) & 1;
    this.#at++;
    return bit;
  }

  u(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + this.bit();
    return value;
  }

  ue(): number {
    let zeros = 0;
    while (this.bit() === 0) zeros++;
    return 2 ** zeros - 1 + this.u(zeros);
  }

  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : 0 - code / 2;
  }

  /** The index of the code that comes next. */
  code(codes: readonly string[]): number {
    let read = "";
    while (read.length <= 16) {
      read += this.bit();
      const found = codes.indexOf(read);
      if (found >= 0) return found;
    }
    throw new Error(`no code begins with ${read}`);
  }
}

/** A NAL unit's RBSP: without start code, header and emulation prevention. */
export function rbspOf(unit: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (let at = 5; at < unit.length; at++) {
    const isEscape = unit[at] === 3 && at >= 7 && unit[at - 1] === 0 && unit[at - 2] === 0;
    if (!isEscape) bytes.push(unit[at]!);
  }
  return Uint8Array.from(bytes);
}
