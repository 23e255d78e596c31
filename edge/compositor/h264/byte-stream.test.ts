import assert from "node:assert/strict";
import { test } from "node:test";
import { nalType, splitByteStream } from "./byte-stream.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

test("units with start codes of both lengths, and nothing lost between them", () => {
  const units = [
    bytes(0, 0, 0, 1, 0x67, 1, 9),
    bytes(0, 0, 1, 0x68, 2, 2),
    bytes(0, 0, 0, 1, 0x65, 0, 3, 1, 0, 0, 3, 1),
  ];
  const found = splitByteStream(Uint8Array.from(units.flatMap((unit) => [...unit])));
  assert.deepEqual(found, units);
  assert.deepEqual(found.map(nalType), [7, 8, 5]);
});

test("what is no byte stream has no units", () => {
  for (const piece of [bytes(), bytes(0, 0), bytes(1, 2, 3, 4), bytes(0, 1, 0x65, 1)]) {
    assert.deepEqual(splitByteStream(piece), []);
  }
  assert.deepEqual(splitByteStream(bytes(9, 9, 0, 0, 1, 0x41)), [bytes(0, 0, 1, 0x41)]);
});
