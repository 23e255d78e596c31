/** What `extract.js` makes of a library in C: the module, and the names that its minified ones stand for. */
export interface EmscriptenLibrary {
  readonly module: WebAssembly.Module;
  /** Name space and minified name to what Emscripten calls the function. */
  readonly imports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Name of a C function, or `memory` or `initialize`, to its minified name. */
  readonly exports: Readonly<Record<string, string>>;
}

/** What C functions take and give; 64-bit integers are `bigint`. */
type Value = number | bigint;
type CFunction = (...args: Value[]) => Value;

const PAGE_BYTES = 65_536;
/** An encoder takes far below a megabyte; beyond this something leaks, and others need the isolate's memory. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;

/**
 * A library in C that does no input or output, instantiated. It sees an empty
 * environment and a clock that stands still: the same input gives the same
 * bytes in every runtime.
 */
export class LibraryInstance {
  readonly #functions = new Map<string, CFunction>();
  readonly #memory: WebAssembly.Memory;

  constructor(library: EmscriptenLibrary) {
    const imports: Record<string, Record<string, CFunction>> = {};
    for (const [space, entries] of Object.entries(library.imports)) {
      imports[space] = {};
      for (const [key, name] of Object.entries(entries)) imports[space][key] = this.#provide(name);
    }
    const { exports } = new WebAssembly.Instance(library.module, imports);
    for (const [name, key] of Object.entries(library.exports)) {
      if (name !== "memory") this.#functions.set(name, exports[key] as CFunction);
    }
    this.#memory = exports[library.exports.memory!] as WebAssembly.Memory;
    this.call("initialize");
  }

  /**
   * Calls a C function.
   * @throws WebAssembly.RuntimeError, Error when the library gives up; it must not be used again
   */
  call(name: string, ...args: Value[]): number {
    return Number(this.#functions.get(name)!(...args));
  }

  /** Memory of its own for a caller. @throws RangeError when there is none left */
  allocate(bytes: number): number {
    const at = this.call("malloc", bytes);
    if (at === 0) throw new RangeError(`${bytes} bytes of memory cannot be had`);
    return at;
  }

  free(at: number): void {
    this.call("free", at);
  }

  /** A view; the next call may take it away. */
  bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory.buffer as ArrayBuffer, at, length);
  }

  #provide(name: string): CFunction {
    switch (name) {
      case "emscripten_resize_heap":
        return (bytes) => this.#grow(Number(bytes) >>> 0);
      case "fd_write":
        return (_file, vectors, count, written) =>
          this.#discard(Number(vectors), Number(count), Number(written));
      case "environ_sizes_get":
        return (count, bytes) => {
          this.#numbers().setUint32(Number(count), 0, true);
          this.#numbers().setUint32(Number(bytes), 0, true);
          return 0;
        };
      case "clock_time_get":
        return (_clock, _precision, at) => {
          this.#numbers().setBigUint64(Number(at), 0n, true);
          return 0;
        };
      case "environ_get":
      case "emscripten_date_now":
        return () => 0;
      default:
        return () => {
          throw new Error(`the library asks for ${name}: it gave up`);
        };
    }
  }

  #numbers(): DataView {
    return new DataView(this.#memory.buffer);
  }

  /** @returns 1 when there are `bytes` now, as Emscripten wants it */
  #grow(bytes: number): number {
    if (bytes > MAX_MEMORY_BYTES) return 0;
    const missing = bytes - this.#memory.buffer.byteLength;
    try {
      if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
      return 1;
    } catch {
      return 0;
    }
  }

  /** What a library writes to its terminal is nobody's: errors come back as codes. */
  #discard(vectors: number, count: number, written: number): number {
    const numbers = this.#numbers();
    let total = 0;
    for (let n = 0; n < count; n++) total += numbers.getUint32(vectors + 8 * n + 4, true);
    numbers.setUint32(written, total, true);
    return 0;
  }
}
