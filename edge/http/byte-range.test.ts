import assert from "node:assert/strict";
import { test } from "node:test";
import { answerRange } from "./byte-range.ts";

const BODY = Uint8Array.from({ length: 10 }, (_, n) => n);

for (const [range, status, bytes, contentRange] of [
  [undefined, 200, [...BODY], undefined],
  ["bytes=0-3", 206, [0, 1, 2, 3], "bytes 0-3/10"],
  ["bytes=8-", 206, [8, 9], "bytes 8-9/10"],
  ["bytes=8-99", 206, [8, 9], "bytes 8-9/10"],
  ["bytes=-3", 206, [7, 8, 9], "bytes 7-9/10"],
  ["bytes=-99", 206, [...BODY], "bytes 0-9/10"],
  ["bytes=10-", 416, [], "bytes */10"],
  ["bytes=-0", 416, [], "bytes */10"],
  ["bytes=3-1", 200, [...BODY], undefined],
  ["bytes=0-1,3-4", 200, [...BODY], undefined],
  ["bytes=-", 200, [...BODY], undefined],
  ["frames=0-1", 200, [...BODY], undefined],
] as const) {
  test(`Range: ${range}`, () => {
    const answer = answerRange(BODY, range);
    assert.deepEqual([answer.status, [...answer.body]], [status, bytes]);
    assert.equal(answer.headers["content-range"], contentRange);
  });
}
