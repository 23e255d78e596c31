import assert from "node:assert/strict";
import { test } from "node:test";
import * as zlib from "node:zlib";
import { crc32 } from "./crc32.ts";

test("as zlib computes it, wherever the bytes begin and end", () => {
  const buffer = Uint8Array.from({ length: 700 }, (_, i) => (i * 2654435761) >>> 13).buffer;
  for (let offset = 0; offset < 5; offset++) {
    const bytes = new Uint8Array(buffer, offset);
    for (let start = 0; start < 20; start++) {
      for (const end of [start, start + 1, start + 15, start + 16, start + 17, 100, 600 + start]) {
        const expected = zlib.crc32(bytes.subarray(start, end));
        assert.equal(crc32(bytes, start, end), expected, `${offset}: ${start} to ${end}`);
      }
    }
  }
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});
