import type { ByteRange, ObjectStore } from "../../avatar/object-store.ts";
import type { Sharing } from "../parts.ts";

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

/**
 * A store behind the cache of the platform, which the isolates of one place
 * share: what one of them has read the others need not fetch from the bucket.
 * A cache that fails is as good as none.
 */
export function cacheStore(
  store: ObjectStore,
  cache: PlatformCache,
  sharing: Sharing,
): ObjectStore {
  return {
    async read(key, options = {}) {
      if (!IMMUTABLE_KEY.test(key)) return store.read(key, options);
      const url = urlOf(key, options.range);
      const known = options.isRefresh ? null : await lookUp(cache, url, options.range);
      if (known) return known;
      const bytes = await store.read(key, options);
      if (bytes && bytes.length > 0) {
        const headers = { "cache-control": LIFETIME, "content-length": String(bytes.length) };
        sharing.keepAlive(cache.put(url, new Response(bytes, { headers })).catch(() => {}));
      }
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
  try {
    const found = await cache.match(url);
    if (!found) return null;
    const bytes = new Uint8Array(await found.arrayBuffer());
    const isWhole = range === undefined || bytes.length <= range.end - range.start;
    return isWhole && bytes.length > 0 ? bytes : null;
  } catch {
    return null;
  }
}
