import assert from "node:assert/strict";
import { test } from "node:test";
import { intersectFrame } from "./rectangle.ts";

test("a rectangle that leaves the frame is cut, not moved", () => {
  const at = (x: number, y: number) => intersectFrame({ x, y, width: 40, height: 40 }, 100, 80);
  assert.deepEqual(at(10, 20), { x: 10, y: 20, width: 40, height: 40 });
  assert.deepEqual(at(-10, 60), { x: 0, y: 60, width: 30, height: 20 });
  assert.deepEqual(at(99, 79), { x: 99, y: 79, width: 1, height: 1 });
  assert.equal(at(100, 0), null);
  assert.equal(at(0, -40), null);
});
