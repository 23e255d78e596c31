/** Bytes that are on their way, and how many more may be. */
export class ByteBudget {
  readonly #maxBytes: number;
  readonly #now: () => number;
  readonly #lapseMs: number;
  /** Oldest first. */
  readonly #taken = new Map<symbol, { readonly bytes: number; readonly atMs: number }>();
  #bytes = 0;

  /**
   * @param now monotonic milliseconds
   * @param lapseMs milliseconds after which what was taken counts no more: in
   * Workers what a request began may end with it, `finally` included
   */
  constructor(maxBytes: number, now: () => number, lapseMs: number) {
    this.#maxBytes = maxBytes;
    this.#now = now;
    this.#lapseMs = lapseMs;
  }

  /** Bytes that may still be taken. */
  get room(): number {
    const oldest = this.#now() - this.#lapseMs;
    for (const [key, { bytes, atMs }] of this.#taken) {
      if (atMs >= oldest) break;
      this.#taken.delete(key);
      this.#bytes -= bytes;
    }
    return Math.max(0, this.#maxBytes - this.#bytes);
  }

  /** @returns gives them back */
  take(bytes: number): () => void {
    const key = Symbol("taken");
    this.#taken.set(key, { bytes, atMs: this.#now() });
    this.#bytes += bytes;
    return () => {
      if (this.#taken.delete(key)) this.#bytes -= bytes;
    };
  }
}
