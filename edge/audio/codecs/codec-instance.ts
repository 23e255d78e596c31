import { CodecError } from "./codec-error.ts";
import type { LibraryInstance } from "./emscripten.ts";
import type { SharedLibrary } from "./shared-library.ts";

/** What a codec has on the heap of its library. */
interface Held {
  readonly library: LibraryInstance;
  /** The C function that takes the state back. */
  readonly destroy: string;
  /** 0 before it is created, and when it was freed. */
  state: number;
  buffers: number[];
}

/**
 * Codecs that nobody freed. In Workers a request whose client has left may end
 * with none of its `finally` blocks run.
 */
const abandoned = new FinalizationRegistry(release);

/** A codec's state and buffers on the heap of a library that others use too. */
export class CodecInstance {
  readonly #shared: SharedLibrary;
  readonly #held: Held;

  /** @param destroy the C function that takes the state back */
  constructor(shared: SharedLibrary, destroy: string) {
    this.#shared = shared;
    this.#held = { library: shared.get(), destroy, state: 0, buffers: [] };
    abandoned.register(this, this.#held);
  }

  /** Calls what answers the address of a new state. @throws CodecError */
  create(name: string, ...args: number[]): void {
    this.#held.state = this.#guard(() => {
      const state = this.#held.library.call(name, ...args);
      if (state === 0) throw new RangeError(`${name} has no memory`);
      return state;
    });
  }

  /** A buffer that lasts as long as the codec. @throws CodecError */
  allocate(bytes: number): number {
    const at = this.#guard(() => this.#held.library.allocate(bytes));
    this.#held.buffers.push(at);
    return at;
  }

  /**
   * Calls a C function with the state as its first argument.
   * @throws CodecError when it was freed, or the answer is one of the library's errors, all below 0
   */
  call(name: string, ...args: (number | bigint)[]): number {
    const { library, state } = this.#held;
    if (state === 0) throw new CodecError("freed", "this codec was freed");
    const result = this.#guard(() => library.call(name, state, ...args));
    if (result < 0) throw new CodecError("library_failed", `${name} answers ${result}`);
    return result;
  }

  /** A view of the library's memory until the next call. */
  bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#held.library.bytes(at, length);
  }

  free(): void {
    release(this.#held);
  }

  /** After a trap its heap may be damaged, and when it is full nobody else gets any of it. */
  #guard<Result>(run: () => Result): Result {
    try {
      return run();
    } catch (cause) {
      this.#shared.discard(this.#held.library);
      if (cause instanceof RangeError) release(this.#held);
      this.#held.state = 0;
      this.#held.buffers = [];
      throw new CodecError("library_failed", "the codec's library stopped", { cause });
    }
  }
}

function release(held: Held): void {
  const { library, destroy, state, buffers } = held;
  held.state = 0;
  held.buffers = [];
  if (state !== 0) library.call(destroy, state);
  for (const at of buffers) library.free(at);
}

/** @throws CodecError unless `value` is a whole number in the range */
export function within(value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new CodecError("bad_input", `${value} is no whole number from ${least} to ${most}`);
}
