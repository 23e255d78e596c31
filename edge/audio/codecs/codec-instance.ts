import { CodecError } from "./codec-error.ts";
import type { LibraryInstance } from "./emscripten.ts";
import type { SharedLibrary } from "./shared-library.ts";

/** A codec's state and buffers on the heap of a library that others use too. */
export class CodecInstance {
  readonly #shared: SharedLibrary;
  readonly #library: LibraryInstance;
  readonly #destroy: string;
  readonly #buffers: number[] = [];
  /** 0 before it is created, and when it was freed. */
  #state = 0;

  /** @param destroy the C function that takes the state back */
  constructor(shared: SharedLibrary, destroy: string) {
    this.#shared = shared;
    this.#library = this.#guard(() => shared.get());
    this.#destroy = destroy;
  }

  /** Calls what answers the address of a new state. @throws CodecError */
  create(name: string, ...args: number[]): void {
    this.#state = this.#guard(() => this.#library.call(name, ...args));
    if (this.#state === 0) throw new CodecError("library_failed", `${name} answers nothing`);
  }

  /** A buffer that lasts as long as the codec. @throws CodecError */
  allocate(bytes: number): number {
    const at = this.#guard(() => this.#library.allocate(bytes));
    this.#buffers.push(at);
    return at;
  }

  /**
   * Calls a C function with the state as its first argument.
   * @throws CodecError when it was freed, or the answer is one of the library's errors, all below 0
   */
  call(name: string, ...args: (number | bigint)[]): number {
    if (this.#state === 0) throw new CodecError("freed", "this codec was freed");
    const result = this.#guard(() => this.#library.call(name, this.#state, ...args));
    if (result < 0) throw new CodecError("library_failed", `${name} answers ${result}`);
    return result;
  }

  /** A view of the library's memory until the next call. */
  bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#library.bytes(at, length);
  }

  free(): void {
    const state = this.#state;
    this.#state = 0;
    if (state !== 0) this.#library.call(this.#destroy, state);
    for (const at of this.#buffers.splice(0)) this.#library.free(at);
  }

  #guard<Result>(run: () => Result): Result {
    try {
      return run();
    } catch (cause) {
      // Its heap may be damaged, and freeing would touch it again.
      this.#shared.discard(this.#library);
      this.#state = 0;
      this.#buffers.length = 0;
      throw new CodecError("library_failed", "the codec's library stopped", { cause });
    }
  }
}

/** @throws CodecError unless `value` is a whole number in the range */
export function within(value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new CodecError("bad_input", `${value} is no whole number from ${least} to ${most}`);
}
