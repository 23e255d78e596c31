import { Mp4Error } from "./mp4-error.ts";

/** Waits that end: with what they wait for, after a time, or when nobody needs it any more. */
export class BoundedWait {
  readonly #limitMs: number;
  readonly #signal: AbortSignal;

  constructor(limitMs: number, signal: AbortSignal) {
    this.#limitMs = limitMs;
    this.#signal = signal;
  }

  /** @throws Mp4Error `stalled`; the signal's reason; what the promise is rejected with */
  async for<T>(promise: Promise<T>, what: string): Promise<T> {
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const message = `no ${what} for ${this.#limitMs} ms`;
    const timer = setTimeout(() => reject(new Mp4Error("stalled", message)), this.#limitMs);
    const abort = () => reject(this.#signal.reason);
    this.#signal.addEventListener("abort", abort, { once: true });
    if (this.#signal.aborted) abort();
    try {
      return await Promise.race([promise, ended]);
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener("abort", abort);
    }
  }
}
