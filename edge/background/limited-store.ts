import { AvatarError } from "../../avatar/avatar-error.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";

/**
 * A store whose every answer comes within a limit, retries included.
 * @param limitMs milliseconds; who waits gets `store_unavailable` after it
 */
export function limitStore(store: ObjectStore, limitMs: number): ObjectStore {
  const within = async <T>(
    what: string,
    caller: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), limitMs);
    const late = Promise.withResolvers<never>();
    const tooLate = () =>
      new AvatarError(
        "store_unavailable",
        `cannot ${what}: the store did not answer within ${limitMs / 1000} s (store.timeout_s)`,
      );
    limit.signal.addEventListener("abort", () => late.reject(tooLate()));
    late.promise.catch(() => {});
    try {
      const signal = caller ? AbortSignal.any([caller, limit.signal]) : limit.signal;
      // A store need not look at its signal.
      return await Promise.race([work(signal), late.promise]);
    } finally {
      clearTimeout(timer);
      limit.abort();
    }
  };
  return {
    read: (key, options = {}) =>
      within(`read ${key}`, options.signal, (signal) => store.read(key, { ...options, signal })),
    list: (prefix, signal) =>
      within(`list ${prefix}`, signal, (limited) => store.list(prefix, limited)),
  };
}
