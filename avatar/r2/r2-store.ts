import { AvatarError } from "../avatar-error.ts";
import type { ObjectStore, ReadOptions } from "../object-store.ts";

/** What of Cloudflare's R2 binding is used; `R2Bucket` of its types fits. */
export interface R2Binding {
  get(
    key: string,
    options?: { range?: { offset: number; length: number } },
  ): Promise<R2Found | null>;
  list(options: { prefix: string; delimiter: string; cursor?: string }): Promise<R2Listing>;
}

interface R2Found {
  readonly size: number;
  arrayBuffer(): Promise<ArrayBuffer>;
}

interface R2Listing {
  readonly objects: readonly { readonly key: string }[];
  readonly delimitedPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly cursor?: string | undefined;
}

export interface R2StoreOptions {
  readonly bucket: R2Binding;
  /** Before every key; empty or ending in `/`. */
  readonly prefix: string;
  /** Tries of a read that R2 let down. Default 3. */
  readonly attempts?: number;
  readonly sleep?: (ms: number) => Promise<void>;
  /** 0 to 1. */
  readonly random?: () => number;
}

const DEFAULT_ATTEMPTS = 3;
const FIRST_DELAY_MS = 50;
/** Pages of 1,000 names. */
const MAX_PAGES = 1000;
const MAX_WHOLE_BYTES = 64 * 1024 * 1024;

/** Avatars in a bucket that is bound to the Worker. */
export function createR2Store(options: R2StoreOptions): ObjectStore {
  const { bucket, prefix } = options;

  async function read(key: string, { range, signal }: ReadOptions = {}) {
    return again(options, `read ${key}`, signal, async () => {
      if (!range) {
        const found = await bucket.get(`${prefix}${key}`);
        if (!found) return null;
        if (found.size > MAX_WHOLE_BYTES) throw cannot(`read ${key}`, `it has ${found.size} bytes`);
        return new Uint8Array(await found.arrayBuffer());
      }
      const { start, end } = range;
      if (end <= start) return new Uint8Array(0);
      try {
        const wanted = { range: { offset: start, length: end - start } };
        const found = await bucket.get(`${prefix}${key}`, wanted);
        return found && new Uint8Array(await found.arrayBuffer());
      } catch (error) {
        // 10039: nothing of it lies in the range. As a file would say, that is no bytes.
        if (String(error).includes("(10039)")) return new Uint8Array(0);
        throw error;
      }
    });
  }

  async function list(below: string, signal?: AbortSignal) {
    return again(options, `list ${below}`, signal, async () => {
      const whole = `${prefix}${below}`;
      const names: string[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < MAX_PAGES; page++) {
        const found = await bucket.list({
          prefix: whole,
          delimiter: "/",
          ...(cursor !== undefined && { cursor }),
        });
        for (const key of [...found.delimitedPrefixes, ...found.objects.map(({ key }) => key)]) {
          names.push(key.slice(whole.length).replace(/\/$/, ""));
        }
        if (!found.truncated) return names.filter(Boolean).sort();
        cursor = found.cursor;
      }
      throw cannot(`list ${below}`, "the list does not end");
    });
  }

  return { read, list };
}

/** Once more after a while, with jitter, when the binding fails. */
async function again<T>(
  { attempts = DEFAULT_ATTEMPTS, sleep = defaultSleep, random = Math.random }: R2StoreOptions,
  what: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (cause) {
      // It will be the same another time.
      if (cause instanceof AvatarError) throw cause;
      if (attempt >= attempts) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw cannot(what, `R2 says "${why}", ${attempts} times`, cause);
      }
    }
    await sleep(FIRST_DELAY_MS * 2 ** (attempt - 1) * (0.5 + random()));
  }
}

function cannot(what: string, why: string, cause?: unknown): AvatarError {
  return new AvatarError("store_unavailable", `cannot ${what}: ${why}`, { cause });
}

function defaultSleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
