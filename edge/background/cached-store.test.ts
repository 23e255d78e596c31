import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "../../avatar/avatar-error.ts";
import type { Logger } from "../../avatar/logger.ts";
import { PackReader } from "../../avatar/pack-reader.ts";
import { createMemoryStore } from "../../test/support/memory-store.ts";
import { packOf } from "../../test/support/packed-avatar.ts";
import { cacheStore, type PlatformCache } from "./cached-store.ts";

const VERSION = `avatars/ada/${"0a".repeat(16)}/`;
const KEY = `${VERSION}jpeg.pack`;
const POINTER = "avatars/ada/avatar.json";
const BYTES = Uint8Array.from({ length: 100 }, (_, n) => n);
const RANGE = { start: 10, end: 20 };
const LIMIT_MS = 20;

/** A cache like a Worker's, with the faults that `changes` gives it. */
function setUp(changes: Partial<PlatformCache> = {}) {
  const kept = new Map<string, Response>();
  const cache: PlatformCache = {
    match: async (url) => kept.get(url)?.clone(),
    put: async (url, response) => void kept.set(url, response),
    ...changes,
  };
  const bucket = createMemoryStore([
    [KEY, BYTES],
    [POINTER, BYTES],
  ]);
  const warnings: string[] = [];
  const logger = { warn: (message: string) => warnings.push(message) } as Partial<Logger> as Logger;
  const works: Promise<unknown>[] = [];
  const keepAlive = (work: Promise<unknown>) => works.push(work);
  const sharing = { keepAlive, patienceMs: 5000 };
  const clock = { ms: 0 };
  const now = () => clock.ms;
  const store = cacheStore(bucket, { cache, sharing, logger, now, limitMs: LIMIT_MS });
  const settle = () => Promise.all(works);
  return { kept, bucket, store, warnings, settle, clock };
}

test("what one has read spares the others the bucket, range by range", async () => {
  const { bucket, kept, store, settle } = setUp();
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await store.read(KEY, { range: RANGE }), BYTES.slice(10, 20));
    assert.deepEqual(await store.read(KEY), BYTES);
    await settle();
  }
  assert.deepEqual(bucket.reads, [RANGE, null]);
  const [first] = kept.values();
  assert.match(first?.headers.get("cache-control") ?? "", /immutable/);
  await store.read(KEY, { range: { start: 10, end: 21 } });
  assert.equal(bucket.reads.length, 3);
});

test("what changes, is missing or is empty is not kept", async () => {
  const { bucket, kept, store, settle } = setUp();
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await store.read(POINTER), BYTES);
    assert.equal(await store.read(`${VERSION}png.pack`), null);
    assert.equal((await store.read(KEY, { range: { start: 200, end: 300 } }))?.length, 0);
    await settle();
  }
  assert.equal(bucket.reads.length, 6);
  assert.equal(kept.size, 0);
});

test("a poisoned entry is read once more from the bucket, and replaced", async () => {
  const entries = [BYTES.slice(0, 40), BYTES.slice(40)];
  const { bytes, stored } = packOf(entries);
  const { bucket, kept, store, settle } = setUp();
  bucket.objects.set(KEY, bytes);
  for (const poison of [new Uint8Array(10), new Uint8Array(stored.indexBytes), bytes]) {
    const url = `https://avatars.invalid/${KEY}?range=0-${stored.indexBytes}`;
    kept.set(url, new Response(new Uint8Array(poison)));
    for (const reads of [1, 0]) {
      bucket.reads.length = 0;
      const pack = await PackReader.open(store, KEY, { file: "jpeg.pack", ...stored });
      assert.equal(pack.count, entries.length);
      await settle();
      assert.equal(bucket.reads.length, reads);
    }
  }
});

const FAULTS: Readonly<Record<string, Partial<PlatformCache> & Pick<PlatformCache, "match">>> = {
  "throws at once": {
    match() {
      throw new Error("no");
    },
    put() {
      throw new Error("no");
    },
  },
  fails: {
    match: () => Promise.reject(new Error("no")),
    put: () => Promise.reject(new Error("no")),
  },
  hangs: { match: () => new Promise<never>(() => {}) },
  "breaks off": {
    match: async () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.error(new Error("gone")),
        }),
      ),
  },
  "never comes to its end": {
    match: async () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
  },
};
for (const [what, changes] of Object.entries(FAULTS)) {
  test(`a cache that ${what} is left alone for ten seconds, and the log says so once`, async () => {
    let asked = 0;
    const match: PlatformCache["match"] = (url) => {
      asked++;
      return changes.match(url);
    };
    const { bucket, store, warnings, settle, clock } = setUp({ ...changes, match });
    for (const ms of [0, 1, 9999, 10_000, 19_999, 20_000]) {
      clock.ms = ms;
      assert.deepEqual(await store.read(KEY, { range: RANGE }), BYTES.slice(10, 20));
      await settle();
    }
    assert.equal(bucket.reads.length, 6);
    assert.equal(asked, 3);
    assert.deepEqual(warnings, ["the platform's cache fails"]);
  });
}

test("a bucket that is down lets go on what the cache has", async () => {
  const { bucket, store, settle } = setUp();
  await store.read(KEY, { range: RANGE });
  await settle();
  bucket.read = async () => {
    throw new AvatarError("store_unavailable", "down");
  };
  assert.deepEqual(await store.read(KEY, { range: RANGE }), BYTES.slice(10, 20));
  await assert.rejects(store.read(KEY), { code: "store_unavailable" });
});
