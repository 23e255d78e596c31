import type { Logger } from "../../avatar/logger.ts";
import type { ByteRange, ObjectStore } from "../../avatar/object-store.ts";
import type { Sharing } from "../parts.ts";
import { within } from "../time-limit.ts";

/** What of the platform's cache (`caches.default` of Workers) is used. */
export interface PlatformCache {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
}

/** Names nobody can ask for from outside. */
const ORIGIN = "https://avatars.invalid/";
/** Objects of a version never change; the pointer and the names do. */
const IMMUTABLE_KEY = /^avatars\/[^/]+\/[0-9a-f]{32}\//;
const LIFETIME = "public, max-age=31536000, immutable";

/** The bucket itself is hardly slower: who waits for longer may as well ask there. */
const LIMIT_MS = 1000;
/** After a failure the cache is left alone for so long, so that not every read waits for one that hangs. */
const REST_MS = 10_000;

export interface CacheStoreOptions {
  readonly cache: PlatformCache;
  readonly sharing: Sharing;
  readonly logger: Logger;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Longest wait for the cache, in milliseconds. Default 1000. */
  readonly limitMs?: number;
}

/**
 * A store behind the cache of the platform, which the isolates of one place
 * share: what one of them has read the others need not fetch from the bucket.
 * A cache that fails or hangs is as good as none, and is asked again ten seconds later;
 * the log says so once.
 */
export function cacheStore(store: ObjectStore, options: CacheStoreOptions): ObjectStore {
  const { cache, sharing, logger, now, limitMs = LIMIT_MS } = options;
  let restsUntilMs = Number.NEGATIVE_INFINITY;
  let hasFailed = false;
  const rest = (error: unknown): null => {
    restsUntilMs = now() + REST_MS;
    if (!hasFailed) logger.warn("the platform's cache fails", { error: String(error) });
    hasFailed = true;
    return null;
  };

  const lookUpInTime = (url: string, range: ByteRange | undefined) =>
    within(lookUp(cache, url, range), limitMs, () => new Error(`no answer within ${limitMs} ms`));

  async function keep(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const headers = { "cache-control": LIFETIME, "content-length": String(bytes.length) };
    await cache.put(url, new Response(bytes, { headers }));
  }

  return {
    async read(key, options = {}) {
      if (!IMMUTABLE_KEY.test(key)) return store.read(key, options);
      if (now() < restsUntilMs) return store.read(key, options);
      const { range, isRefresh } = options;
      const url = urlOf(key, range);
      const known = isRefresh ? null : await lookUpInTime(url, range).catch(rest);
      if (known) return known;
      const bytes = await store.read(key, options);
      if (bytes && bytes.length > 0) sharing.keepAlive(keep(url, bytes).catch(rest));
      return bytes;
    },
    list: (prefix, signal) => store.list(prefix, signal),
  };
}

/** A range is an object of its own: the cache would give parts only of what it holds in whole. */
function urlOf(key: string, range: ByteRange | undefined): string {
  return range ? `${ORIGIN}${key}?range=${range.start}-${range.end}` : `${ORIGIN}${key}`;
}

async function lookUp(
  cache: PlatformCache,
  url: string,
  range: ByteRange | undefined,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const found = await cache.match(url);
  if (!found) return null;
  const bytes = new Uint8Array(await found.arrayBuffer());
  const isWhole = range === undefined || bytes.length <= range.end - range.start;
  return isWhole && bytes.length > 0 ? bytes : null;
}
