import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createMemoryStore } from "../test/support/memory-store.ts";
import { AvatarError } from "./avatar-error.ts";
import { crc32 } from "./image/crc32.ts";
import type { StoredPack } from "./manifest.ts";
import { encodePackIndex } from "./pack.ts";
import { PackReader } from "./pack-reader.ts";

const KEY = "avatars/ada/v/png.pack";
const ENTRIES = [200, 0, 5000, 1].map((length, n) =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + n * 13) & 255),
);

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A pack and what a manifest says of it. */
function buildPack(entries: readonly Uint8Array[]): { bytes: Uint8Array; stored: StoredPack } {
  const index = encodePackIndex(
    entries.map((entry) => ({ bytes: entry.length, crc32: crc32(entry) })),
    { kind: "png" },
  );
  const bytes = new Uint8Array(Buffer.concat([index, ...entries]));
  return { bytes, stored: describe(bytes, index.length) };
}

function describe(bytes: Uint8Array, indexBytes: number): StoredPack {
  return {
    file: "png.pack",
    bytes: bytes.length,
    sha256: sha256(bytes),
    indexBytes,
    indexSha256: sha256(bytes.subarray(0, indexBytes)),
  };
}

const open = (bytes: Uint8Array, stored: StoredPack, entries = ENTRIES.length) =>
  PackReader.open(createMemoryStore([[KEY, bytes]]), KEY, stored, { entries });

function isRefusal(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof AvatarError, String(error));
    assert.equal(error.code, "damaged");
    assert.match(error.message, message);
    assert.ok(error.message.startsWith(KEY), error.message);
    return true;
  };
}

test("an index is one read, an entry is one read, neighbours are one read", async () => {
  const { bytes, stored } = buildPack(ENTRIES);
  const store = createMemoryStore([[KEY, bytes]]);
  const pack = await PackReader.open(store, KEY, stored, { entries: 4 });
  assert.deepEqual(store.reads, [{ start: 0, end: stored.indexBytes }]);
  assert.equal(pack.count, 4);
  assert.deepEqual(pack.metadata, { kind: "png" });
  for (const [n, entry] of ENTRIES.entries()) {
    assert.equal(pack.entryBytes(n), entry.length);
    assert.deepEqual(await pack.read(n), entry);
  }
  // The empty one needs no read.
  assert.equal(store.reads.length, 1 + 3);
  assert.equal(pack.spanBytes(1, 3), 5001);
  const span = await pack.readSpan(1, 3);
  assert.equal(store.reads.length, 1 + 3 + 1);
  assert.deepEqual(span, ENTRIES.slice(1));
  for (const entry of span) assert.equal(entry.buffer.byteLength, entry.length);
  for (const [first, last] of [
    [-1, 0],
    [0, 4],
    [2, 1],
    [0.5, 1],
  ] as const) {
    await assert.rejects(pack.readSpan(first, last), RangeError);
  }
});

test("a pack that is cut short is refused", async () => {
  const { bytes, stored } = buildPack(ENTRIES);
  const cut = async (length: number) => open(bytes.slice(0, length), stored);
  for (const length of [0, 1, 23, 24, 60, stored.indexBytes - 1]) {
    await assert.rejects(cut(length), isRefusal(/its index is cut off/));
  }
  const pack = await cut(bytes.length - 2);
  assert.deepEqual(await pack.read(0), ENTRIES[0]);
  await assert.rejects(pack.read(2), isRefusal(/ends within entry 2/));
  await assert.rejects(pack.readSpan(0, 3), isRefusal(/ends within entry 2/));
  const missing = PackReader.open(createMemoryStore(), KEY, stored);
  await assert.rejects(missing, isRefusal(/it is missing/));
});

test("a flipped bit is noticed, wherever it is", async () => {
  const { bytes, stored } = buildPack(ENTRIES);
  for (let at = 0; at < bytes.length; at += at < stored.indexBytes ? 1 : 97) {
    const flipped = bytes.slice();
    flipped[at]! ^= 1 << (at & 7);
    const read = async () => {
      const pack = await open(flipped, stored);
      for (let n = 0; n < pack.count; n++) await pack.read(n);
    };
    const message = at < stored.indexBytes ? /not the one that was published/ : /has changed/;
    await assert.rejects(read, isRefusal(message), `byte ${at}`);
  }
});

test("the pack of another avatar, or of another version, is refused", async () => {
  const { stored } = buildPack(ENTRIES);
  const other = buildPack(ENTRIES.map((entry) => entry.map((byte) => byte ^ 1)));
  assert.equal(other.stored.indexBytes, stored.indexBytes);
  await assert.rejects(open(other.bytes, stored), isRefusal(/not the one that was published/));
  await assert.rejects(open(other.bytes, other.stored, 5), isRefusal(/4 entries for 5 frames/));
});

test("an index that lies is refused with its bytes read and nothing more", async () => {
  const { bytes, stored } = buildPack(ENTRIES);
  const cases: [RegExp, (view: DataView) => void][] = [
    [/larger than any pack's/, (view) => view.setUint32(12, 0xffffffff, true)],
    [/larger than any pack's/, (view) => view.setUint32(16, 0xffffffff, true)],
    [/cut off/, (view) => view.setUint32(12, 99_999, true)],
    [/entry 0 has 4294967295 bytes/, (view) => view.setUint32(32, 0xffffffff, true)],
    [/entry 3 ends at/, (view) => view.setUint32(72 + 8, 200_000_000, true)],
    [/entry 3 ends at/, (view) => view.setBigUint64(72, 2n ** 52n, true)],
    [/entry 0 ends at/, (view) => view.setBigUint64(24, 2n ** 64n - 1n, true)],
    [/entry 2 overlaps/, (view) => view.setBigUint64(56, 100n, true)],
  ];
  for (const [message, edit] of cases) {
    // The hashes are right: someone has made it so.
    const forged = bytes.slice();
    const view = new DataView(forged.buffer);
    edit(view);
    view.setUint32(20, crc32(forged, 24, stored.indexBytes), true);
    const store = createMemoryStore([[KEY, forged]]);
    const before = process.memoryUsage().arrayBuffers;
    const opened = PackReader.open(store, KEY, describe(forged, stored.indexBytes));
    await assert.rejects(opened, isRefusal(message));
    assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
    assert.deepEqual(store.reads, [{ start: 0, end: stored.indexBytes }]);
  }
});
