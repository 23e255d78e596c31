import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, duration, milliseconds, percent, some } from "./format.ts";

test("bytes", () => {
  assert.deepEqual([0, 999, 1024, 1_048_576, 157_286_400, 5e12].map(bytes), [
    "0 B",
    "999 B",
    "1.0 KB",
    "1.0 MB",
    "150 MB",
    "4.5 TB",
  ]);
});

test("durations", () => {
  assert.deepEqual([-1, 59, 61, 3600, 90_061].map(duration), [
    "0 s",
    "59 s",
    "1 min 1 s",
    "1 h 0 min",
    "1 d 1 h",
  ]);
});

test("what is not known is a dash", () => {
  assert.deepEqual(
    [milliseconds(null), milliseconds(3.21), milliseconds(86.4)],
    ["-", "3.2 ms", "86 ms"],
  );
  assert.deepEqual([percent(0, 0), percent(1, 3), percent(7, 7)], ["-", "33.3 %", "100 %"]);
});

test("one of something is not several", () => {
  assert.deepEqual(
    [some(0, "viewer"), some(1, "viewer"), some(1200, "viewer")],
    ["0 viewers", "1 viewer", "1,200 viewers"],
  );
});
