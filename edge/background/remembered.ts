import type { Sharing } from "../parts.ts";

export interface RememberedOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly sharing: Sharing;
  /** A value is taken as it is for so long, in milliseconds. */
  readonly freshMs: number;
  /** So long a newer one is waited for when there is an old one, in milliseconds. */
  readonly waitMs: number;
  /** Whether an error says only that the value cannot be had now. */
  readonly isPassing: (error: unknown) => boolean;
  /** Told when an old value goes on because of such an error. */
  readonly onStale: (error: unknown) => void;
}

/**
 * A value that may change and is asked for again and again: kept for a moment,
 * then loaded anew, once however many ask. While its source is down or slow the
 * last one goes on.
 */
export class Remembered<T> {
  readonly #load: () => Promise<T>;
  readonly #options: RememberedOptions;
  #known: { readonly value: T; checkedAtMs: number } | null = null;
  #loading: { readonly promise: Promise<T>; readonly sinceMs: number } | null = null;

  constructor(load: () => Promise<T>, options: RememberedOptions) {
    this.#load = load;
    this.#options = options;
  }

  /** @throws what the load throws, where there is no value to go on with or the error is a final one */
  async get(): Promise<T> {
    const { now, freshMs, waitMs, sharing } = this.#options;
    const known = this.#known;
    if (known && now() - known.checkedAtMs < freshMs) return known.value;
    const loading = this.#join();
    const longestMs = known ? waitMs : sharing.patienceMs;
    const newer = await within(loading.promise, loading.sinceMs + longestMs - now());
    if (newer) return newer.value;
    if (known) return known.value;
    // Whoever began it is gone, and the load with him.
    if (this.#loading === loading) this.#loading = null;
    return this.get();
  }

  #join() {
    const { now, sharing, isPassing, onStale } = this.#options;
    const known = this.#known;
    // A load that has not ended by then never will.
    if (this.#loading && now() - this.#loading.sinceMs < sharing.patienceMs) return this.#loading;
    const promise = this.#load().then(
      (value) => {
        this.#known = { value, checkedAtMs: now() };
        return value;
      },
      (error: unknown) => {
        if (!known || !isPassing(error)) {
          this.#known = null;
          throw error;
        }
        onStale(error);
        known.checkedAtMs = now();
        return known.value;
      },
    );
    const loading = { promise, sinceMs: now() };
    this.#loading = loading;
    const over = () => {
      if (this.#loading === loading) this.#loading = null;
    };
    sharing.keepAlive(promise.then(over, over));
    return loading;
  }
}

/** What a promise comes to, or null when it takes longer. */
async function within<T>(promise: Promise<T>, ms: number): Promise<{ value: T } | null> {
  if (!Number.isFinite(ms)) return { value: await promise };
  // Nobody may look at it any more.
  promise.catch(() => {});
  if (ms <= 0) return null;
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), ms);
  try {
    return await Promise.race([promise.then((value) => ({ value })), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
