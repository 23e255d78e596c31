import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "../../avatar/logger.ts";
import { createMemoryStore } from "../../test/support/memory-store.ts";
import { temporaryFolder } from "../../test/support/tiny-avatar.ts";
import { type CacheEntry, ModelCache } from "./model-cache.ts";

const MEGABYTE = 1024 ** 2;

/** Objects `a`, `b` and so on of the given sizes. */
function objects(...sizes: number[]) {
  const entries: CacheEntry[] = [];
  const store = createMemoryStore();
  for (const [n, bytes] of sizes.entries()) {
    const key = String.fromCharCode(97 + n);
    const content = new Uint8Array(bytes).fill(n + 1);
    store.objects.set(key, content);
    entries.push({ key, bytes, sha256: createHash("sha256").update(content).digest("hex") });
  }
  return { store, entries };
}

async function openCache(
  t: { after(end: () => Promise<void>): void },
  store: ReturnType<typeof createMemoryStore>,
  maxBytes: number,
  folder?: string,
  logger = silentLogger,
) {
  const path = folder ?? (await temporaryFolder(t));
  const { signal } = new AbortController();
  const options = { folder: path, maxBytes, store, logger, signal };
  return { cache: await ModelCache.open(options), folder: path };
}

test("an object is downloaded once, however many ask, in pieces, and is there for the next process", async (t) => {
  const { store, entries } = objects(20 * MEGABYTE);
  const { cache, folder } = await openCache(t, store, 100 * MEGABYTE);
  const held = await Promise.all(Array.from({ length: 20 }, () => cache.hold(entries[0]!)));
  assert.equal(store.reads.length, 3);
  assert.equal(new Set(held.map(({ path }) => path)).size, 1);
  assert.equal((await readFile(held[0]!.path)).length, 20 * MEGABYTE);
  const next = await openCache(t, store, 100 * MEGABYTE, folder);
  await next.cache.hold(entries[0]!);
  assert.equal(store.reads.length, 3);
});

test("the least recently used file leaves, never one that is held", async (t) => {
  const { store, entries } = objects(1000, 1000, 1000, 1000);
  const { cache, folder } = await openCache(t, store, 3000);
  const [a, b, c] = await Promise.all(entries.slice(0, 3).map((entry) => cache.hold(entry)));
  await assert.rejects(cache.hold(entries[3]!), /full of models in use.*raise model_cache.max_gb/);
  b!.release();
  c!.release();
  (await cache.hold(entries[1]!)).release();
  await cache.hold(entries[3]!);
  const names = (await readdir(folder)).sort();
  assert.deepEqual(names, [entries[0]!, entries[1]!, entries[3]!].map((e) => e.sha256).sort());
  a!.release();
  assert.equal(cache.bytes, 3000);
});

test("nothing leaves for an object that would still not fit", async (t) => {
  const { store, entries } = objects(1000, 1000, 5000);
  const { cache, folder } = await openCache(t, store, 3000);
  for (const entry of entries.slice(0, 2)) (await cache.hold(entry)).release();
  await assert.rejects(cache.hold(entries[2]!), /raise model_cache.max_gb/);
  assert.equal((await readdir(folder)).length, 2);
  assert.equal(store.reads.length, 2, "it was not asked for");
});

test("a download that ends while another begins is counted once", async (t) => {
  const { store, entries } = objects(1000, 1000, 1000);
  let next: Promise<unknown> | null = null;
  const info = () => {
    // It begins with the end of the second one, the earliest that there is.
    if (store.reads.length === 2) next ??= cache.hold(entries[2]!);
  };
  const logger = { ...silentLogger, info };
  const { cache } = await openCache(t, store, 3000, undefined, logger);
  for (const entry of entries.slice(0, 2)) (await cache.hold(entry)).release();
  await next;
  assert.equal(cache.bytes, 3000);
  for (const entry of entries) await cache.hold(entry);
  assert.equal(store.reads.length, 3, "none was thrown out for another");
});

test("what is not what the manifest says is refused and not kept", async (t) => {
  const { store, entries } = objects(5000, 5000);
  const { cache, folder } = await openCache(t, store, MEGABYTE);
  store.objects.get("a")![4321]! ^= 1;
  await assert.rejects(cache.hold(entries[0]!), /not what its manifest says: publish/);
  store.objects.set("b", store.objects.get("b")!.subarray(0, 4999));
  await assert.rejects(cache.hold(entries[1]!), /not complete: publish/);
  assert.deepEqual(await readdir(folder), []);
  store.objects.get("a")![4321]! ^= 1;
  await cache.hold(entries[0]!);
});

test("leftovers of a process that was killed are removed, and cut files are fetched again", async (t) => {
  const { store, entries } = objects(5000);
  const { cache, folder } = await openCache(t, store, MEGABYTE);
  const { path, release } = await cache.hold(entries[0]!);
  release();
  await writeFile(join(folder, `${entries[0]!.sha256}.abc.part`), "half");
  await writeFile(join(folder, "notes.txt"), "somebody's own");
  await truncate(path, 100);
  const next = await openCache(t, store, MEGABYTE, folder);
  assert.deepEqual((await readdir(folder)).sort(), [entries[0]!.sha256, "notes.txt"].sort());
  const held = await next.cache.hold(entries[0]!);
  assert.equal((await readFile(held.path)).length, 5000);
});

test("what rotted on the disk is fetched again by the next process, and is verified once", async (t) => {
  const { store, entries } = objects(5000);
  const first = await openCache(t, store, MEGABYTE);
  const { path } = await first.cache.hold(entries[0]!);
  const rotten = await readFile(path);
  rotten[4321]! ^= 1;
  await writeFile(path, rotten);
  const next = await openCache(t, store, MEGABYTE, first.folder);
  const held = await Promise.all(Array.from({ length: 5 }, () => next.cache.hold(entries[0]!)));
  const content = await readFile(held[0]!.path);
  assert.equal(createHash("sha256").update(content).digest("hex"), entries[0]!.sha256);
  assert.equal(store.reads.length, 2);
  assert.equal(next.cache.bytes, 5000);
  // Loads are not to read each file twice: whoever changes it under a running core is not found out.
  await writeFile(path, rotten);
  await next.cache.hold(entries[0]!);
  assert.equal(store.reads.length, 2);
});

test("a folder that was emptied under us is filled again", async (t) => {
  const { store, entries } = objects(5000);
  const { cache } = await openCache(t, store, MEGABYTE);
  const { path } = await cache.hold(entries[0]!);
  await rm(path);
  assert.equal((await readFile((await cache.hold(entries[0]!)).path)).length, 5000);
});

test("a folder that cannot be used is said at start", async (t) => {
  const { store } = objects(1);
  const file = join(await temporaryFolder(t), "file");
  await writeFile(file, "");
  await assert.rejects(openCache(t, store, 1, file), /model_cache.path: .* cannot be used/);
});
