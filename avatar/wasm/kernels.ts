const WASM_PAGE_BYTES = 65_536;
/** Buffers begin at such multiples; loads of 16 bytes may reach beyond a buffer's end by as much. */
const ALIGNMENT = 64;

/** What every module of `assembly/` exports. Pointers are offsets into `memory`. */
export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  /** First byte that is not the module's own. */
  heapBase(): number;
}

/**
 * An instance of the kernels and its memory. Each operation lays its buffers
 * out anew, so nothing is kept between two of them, and memory only grows to
 * what the largest operation needs.
 */
export class Kernels<Exports extends KernelExports = KernelExports> {
  readonly exports: Exports;
  #next = 0;

  /** @param module one of those that `build.js` makes; `Exports` must be what it exports */
  constructor(module: WebAssembly.Module) {
    const instance = new WebAssembly.Instance(module, { env: { abort: fail } });
    this.exports = instance.exports as unknown as Exports;
  }

  /** Begins an operation: every buffer of the one before is free again. */
  begin(): void {
    this.#next = align(this.exports.heapBase());
  }

  /**
   * A buffer of the present operation; its content is undefined.
   * @throws RangeError when the memory that WebAssembly can address is used up
   */
  reserve(bytes: number): number {
    const start = this.#next;
    this.#next = align(start + bytes + ALIGNMENT);
    const { memory } = this.exports;
    const missing = this.#next - memory.buffer.byteLength;
    if (missing > 0) grow(memory, missing);
    return start;
  }

  /** A buffer that holds `bytes`. */
  place(bytes: Uint8Array): number {
    const start = this.reserve(bytes.length);
    this.bytes(start, bytes.length).set(bytes);
    return start;
  }

  /** A buffer that holds 32-bit numbers, for kernels that take many. */
  placeNumbers(numbers: ArrayLike<number>): number {
    const start = this.reserve(4 * numbers.length);
    new Int32Array(this.exports.memory.buffer, start, numbers.length).set(numbers);
    return start;
  }

  /** A view of the memory; the next `reserve` may take it away. */
  bytes(start: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.exports.memory.buffer as ArrayBuffer, start, length);
  }
}

function grow(memory: WebAssembly.Memory, bytes: number): void {
  try {
    memory.grow(Math.ceil(bytes / WASM_PAGE_BYTES));
  } catch (cause) {
    const message = `${bytes} bytes of memory cannot be had: the frame or its mouth is too large`;
    throw new RangeError(message, { cause });
  }
}

function align(at: number): number {
  return Math.ceil(at / ALIGNMENT) * ALIGNMENT;
}

function fail(): never {
  throw new Error("a kernel stopped");
}
