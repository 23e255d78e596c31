import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "./avatar-error.ts";
import { crc32 } from "./image/crc32.ts";
import { decodePackIndex, encodePackIndex, MAX_ENTRY_BYTES, packIndexBytes } from "./pack.ts";

const METADATA = { kind: "test" };

test("entries lie where the index says", () => {
  const entries = [new Uint8Array(5).fill(1), new Uint8Array(0), new Uint8Array(300).fill(3)];
  const index = encodePackIndex(
    entries.map((entry) => ({ bytes: entry.length, crc32: crc32(entry) })),
    METADATA,
  );
  const pack = new Uint8Array([...index, ...entries.flatMap((entry) => [...entry])]);
  assert.equal(packIndexBytes(3, METADATA), index.length);
  const { count, offsets, lengths, checksums, metadata } = decodePackIndex(
    index,
    pack.length,
    "a.pack",
  );
  assert.equal(count, 3);
  assert.deepEqual(metadata, METADATA);
  for (const [n, entry] of entries.entries()) {
    assert.deepEqual(pack.subarray(offsets[n], offsets[n]! + lengths[n]!), entry);
    assert.equal(checksums[n], crc32(entry));
  }
});

test("a damaged index is refused, wherever it is damaged", () => {
  const entries = [
    { bytes: 10, crc32: 1 },
    { bytes: 20, crc32: 2 },
  ];
  const good = encodePackIndex(entries, METADATA);
  const objectBytes = good.length + 30;
  /** With a checksum that is right again: what a hostile pack would have. */
  const forge = (edit: (view: DataView, bytes: Uint8Array) => void) => {
    const bytes = good.slice();
    const view = new DataView(bytes.buffer);
    edit(view, bytes);
    view.setUint32(20, crc32(bytes, 24), true);
    return bytes;
  };
  const flipped = good.slice();
  flipped[30]! ^= 4;
  const cases: [RegExp, Uint8Array][] = [
    [/shorter than its header/, good.slice(0, 10)],
    [/mark of a pack/, forge((_, bytes) => bytes.fill(0, 0, 8))],
    [/format version 9/, forge((view) => view.setUint32(8, 9, true))],
    [/larger than any/, forge((view) => view.setUint32(12, 4_000_000_000, true))],
    [/larger than any/, forge((view) => view.setUint32(16, 4_000_000_000, true))],
    [/cut off/, forge((view) => view.setUint32(12, 3, true))],
    [/cut off/, good.slice(0, good.length - 1)],
    [/shorter than announced/, new Uint8Array([...good, 0])],
    [/index has changed/, flipped],
    [/entry 0 overlaps/, forge((view) => view.setBigUint64(24, 1n, true))],
    [/entry 1 overlaps/, forge((view) => view.setUint32(24 + 8, 11, true))],
    [/entry 1 ends at/, forge((view) => view.setUint32(40 + 8, 21, true))],
    [/entry 0 ends at/, forge((view) => view.setBigUint64(24, 2n ** 64n - 1n, true))],
    [/entry 0 has 268435457 bytes/, forge((v) => v.setUint32(32, MAX_ENTRY_BYTES + 1, true))],
    [/not JSON/, forge((_, bytes) => bytes.fill(0, good.length - 4))],
  ];
  assert.equal(decodePackIndex(good, objectBytes, "a.pack").count, 2);
  for (const [message, bytes] of cases) {
    assert.throws(
      () => decodePackIndex(bytes, objectBytes, "a.pack"),
      (error) => {
        assert.ok(error instanceof AvatarError);
        assert.equal(error.code, "damaged");
        assert.match(error.message, message);
        return true;
      },
    );
  }
});
