import assert from "node:assert/strict";
import { test } from "node:test";
import { rbspOf } from "../../../test/support/bit-reader.ts";
import { AccessUnitWriter, parameterSets } from "./access-unit.ts";

const format = { width: 64, height: 64, framesPerSecond: 25, maxKilobitsPerSecond: 100 };

test("IDR pictures bring their parameter sets, others do not", () => {
  const writer = new AccessUnitWriter(format);
  const slice = Uint8Array.of(1, 0, 0, 1, 7);
  writer.begin(true);
  writer.put(slice);
  const first = writer.finish();
  assert.deepEqual(
    first.map((part) => part[4]! & 31),
    [7, 8, 5],
  );
  assert.deepEqual(first.slice(0, 2), parameterSets(format));
  assert.deepEqual(rbspOf(first[2]!), slice);
  writer.begin(false);
  writer.put(slice);
  writer.put(slice);
  const second = writer.finish();
  assert.deepEqual(
    second.map((part) => part[4]! & 31),
    [1, 1],
  );
});

test("parts lie one behind the other in memory of their own", () => {
  const writer = new AccessUnitWriter(format);
  // Larger than what the writer begins with.
  const large = new Uint8Array(100_000).fill(5);
  writer.begin(false);
  writer.put(large);
  writer.put(Uint8Array.of(9));
  const parts = writer.finish();
  assert.deepEqual(rbspOf(parts[0]!), large);
  assert.equal(parts[0]!.buffer, parts[1]!.buffer);
  assert.equal(parts[0]!.byteOffset + parts[0]!.length, parts[1]!.byteOffset);
  const kept = parts[1]!.slice();
  writer.begin(false);
  writer.put(Uint8Array.of(1, 2, 3));
  writer.finish();
  assert.deepEqual(parts[1], kept);
});
