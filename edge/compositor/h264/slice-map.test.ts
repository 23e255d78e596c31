import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { sliceMap } from "./slice-map.ts";

const size = { columns: 8, rows: 6 };

test("a band is three slices", () => {
  const map = sliceMap(size, { x: 40, y: 33, width: 30, height: 20 }, "band");
  assert.deepEqual(map.live, { x: 0, y: 2, width: 8, height: 2 });
  assert.deepEqual(map.slices, [
    { first: 0, count: 16, isLive: false },
    { first: 16, count: 16, isLive: true },
    { first: 32, count: 16, isLive: false },
  ]);
});

test("a box is cut out of each of its rows", () => {
  const map = sliceMap(size, { x: 40, y: 33, width: 30, height: 20 }, "box");
  assert.deepEqual(map.live, { x: 2, y: 2, width: 3, height: 2 });
  assert.deepEqual(
    map.slices.map(({ first, count, isLive }) => [first, count, isLive]),
    [
      [0, 18, false],
      [18, 3, true],
      [21, 5, false],
      [26, 3, true],
      [29, 19, false],
    ],
  );
});

test("whatever the mouth, slices cover the picture in order, and D with the live ones", () => {
  const random = new SeededRandom(3);
  for (let n = 0; n < 300; n++) {
    const x = random.below(127);
    const y = random.below(95);
    const box = { x, y, width: 1 + random.below(128 - x), height: 1 + random.below(96 - y) };
    const { live, slices } = sliceMap(size, box, random.pick(["band", "box"] as const));
    let next = 0;
    for (const slice of slices) {
      assert.equal(slice.first, next);
      next += slice.count;
      for (let mb = slice.first; mb < next; mb++) {
        const [column, row] = [mb % size.columns, Math.floor(mb / size.columns)];
        const isInside =
          column >= live.x &&
          column < live.x + live.width &&
          row >= live.y &&
          row < live.y + live.height;
        assert.equal(isInside, slice.isLive);
      }
    }
    assert.equal(next, 48);
  }
});

test("a mouth outside of the picture is refused", () => {
  for (const box of [
    { x: 100, y: 0, width: 40, height: 10 },
    { x: -1, y: 0, width: 10, height: 10 },
    { x: 0, y: 0, width: 0, height: 10 },
  ]) {
    assert.throws(() => sliceMap(size, box, "box"), RangeError);
  }
});
