import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "./avatar-error.ts";
import { encodePackHeader, readPackIndex } from "./pack.ts";

const reader = (bytes: Uint8Array) => async (start: number, end: number) =>
  bytes.subarray(start, end);

test("entries lie where the index says", async () => {
  const entries = [new Uint8Array(5).fill(1), new Uint8Array(0), new Uint8Array(300).fill(3)];
  const header = encodePackHeader(
    entries.map(({ length }) => length),
    { kind: "test" },
  );
  const pack = new Uint8Array([...header, ...entries.flatMap((entry) => [...entry])]);
  const { offsets, metadata } = await readPackIndex(reader(pack), "a.pack");
  assert.deepEqual(metadata, { kind: "test" });
  for (const [n, entry] of entries.entries()) {
    assert.deepEqual(pack.subarray(offsets[n], offsets[n + 1]), entry);
  }
});

test("a damaged index is refused, wherever it is damaged", async () => {
  const good = encodePackHeader([10, 20], { kind: "test" });
  const damage = (edit: (bytes: Uint8Array, view: DataView) => void) => {
    const bytes = good.slice();
    edit(bytes, new DataView(bytes.buffer));
    return bytes;
  };
  const cases: [RegExp, Uint8Array][] = [
    [/shorter than its header/, good.slice(0, 10)],
    [/mark of a pack/, damage((bytes) => bytes.fill(0, 0, 8))],
    [/format version 9/, damage((_, view) => view.setUint32(8, 9, true))],
    [/larger than any/, damage((_, view) => view.setUint32(12, 4_000_000_000, true))],
    [/cut off/, good.slice(0, good.length - 1)],
    [/runs backwards/, damage((_, view) => view.setBigUint64(32, 1n, true))],
    [/not JSON/, damage((bytes) => bytes.fill(0, good.length - 4))],
  ];
  for (const [message, bytes] of cases) {
    await assert.rejects(readPackIndex(reader(bytes), "a.pack"), (error) => {
      assert.ok(error instanceof AvatarError);
      assert.match(error.message, message);
      return true;
    });
  }
});
