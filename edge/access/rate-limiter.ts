import { LRUCache } from "lru-cache";

/** Whether a call may go ahead. */
export interface RateLimiter {
  /**
   * Counts a call.
   * @param account whose calls are counted together
   * @param perMinute how many there may be; null: as the limiter has it by itself
   * @returns seconds until the next would be let in; 0 when this one is
   */
  take(account: string, perMinute: number | null): Promise<number>;
}

/** Accounts that are remembered; one that is forgotten starts afresh. */
const MAX_ACCOUNTS = 20_000;
/** Share of a minute's calls that may come at once. */
const BURST = 0.25;
const MINUTE_MS = 60_000;

/**
 * Counts in this process by the generic cell rate algorithm (ITU-T I.371, annex A): one
 * number per account, and no moment at which all of a minute's calls are free again.
 * @param now monotonic milliseconds
 */
export function createLocalRateLimiter(now: () => number): RateLimiter {
  /** When an account that calls evenly would call next. */
  const dueAtMs = new LRUCache<string, number>({ max: MAX_ACCOUNTS });
  return {
    async take(account, perMinute) {
      if (perMinute === null) return 0;
      const everyMs = MINUTE_MS / perMinute;
      const burstMs = Math.max(MINUTE_MS * BURST, everyMs);
      const at = now();
      const due = Math.max(dueAtMs.get(account) ?? at, at);
      const waitMs = due + everyMs - burstMs - at;
      // A millisecond is more than the clock of a Worker tells apart.
      if (waitMs > 1) return Math.ceil(waitMs / 1000);
      dueAtMs.set(account, due + everyMs);
      return 0;
    },
  };
}

/** Lets in what each of them lets in. */
export function allOf(...limiters: readonly RateLimiter[]): RateLimiter {
  return {
    async take(account, perMinute) {
      for (const limiter of limiters) {
        const waitS = await limiter.take(account, perMinute);
        if (waitS > 0) return waitS;
      }
      return 0;
    },
  };
}
