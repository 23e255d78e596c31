import assert from "node:assert/strict";
import { test } from "node:test";
import { backgroundIndex } from "./playback.ts";

test("there and back, starting at index 1", () => {
  const walk = Array.from({ length: 12 }, (_, position) => backgroundIndex(position, 5));
  assert.deepEqual(walk, [1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
});

test("short loops", () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((position) => backgroundIndex(position, 2)),
    [1, 0, 1, 0],
  );
  assert.deepEqual(
    [0, 1, 2].map((position) => backgroundIndex(position, 1)),
    [0, 0, 0],
  );
});
