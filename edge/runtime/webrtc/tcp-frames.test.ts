import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { FrameReader, framed } from "./tcp-frames.ts";

test("packets come out as they went in, however the bytes are cut", () => {
  const random = new SeededRandom(1);
  for (let n = 0; n < 100; n++) {
    const packets = Array.from({ length: 10 }, () => Buffer.alloc(random.below(300), n));
    const bytes = Buffer.concat(packets.map(framed));
    const reader = new FrameReader(300);
    const read: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const count = 1 + random.below(200);
      read.push(...reader.read(bytes.subarray(at, at + count))!);
      at += count;
    }
    assert.deepEqual(read, packets);
  }
});

test("a packet that is too long is noticed by its length", () => {
  assert.equal(new FrameReader(300).read(Buffer.from([1, 45])), null);
  assert.deepEqual(new FrameReader(301).read(Buffer.from([1, 45])), []);
});
