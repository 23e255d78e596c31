import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { randomPicture } from "../../../test/support/h264-streams.ts";
import { assembleTrack, encodeGroup, encodeTrack, planGroups, settingsOf } from "./encode-track.ts";
import { trackLength } from "./track.ts";

const order = [1, 2, 3, 2, 1, 0];
const pictures = (() => {
  const random = new SeededRandom(2);
  return [0, 1, 2, 3].map((n) => randomPicture(random, 94, 62, "waves", n));
})();
const frames = {
  width: 94,
  height: 62,
  order,
  regionOf: (n: number) => ({ x: 20 + n, y: 20, width: 30, height: 20 }),
  read: async (n: number) => pictures[n]!,
};

test("groups are even and none is too long", () => {
  assert.deepEqual(planGroups(250, 256), [[0, 250]]);
  assert.deepEqual(planGroups(250, 100), [
    [0, 83],
    [83, 166],
    [166, 250],
  ]);
  assert.deepEqual(planGroups(1, 1), [[0, 1]]);
});

test("groups that are coded on their own make the same track", async () => {
  const options = { framesPerSecond: 25, groupFrames: 3, keyEveryFrames: 2 };
  const whole = await encodeTrack(frames, options);
  const plan = planGroups(order.length, 3);
  const groups = await Promise.all(
    plan.map(([start, end]) => encodeGroup(frames, options, start, end)),
  );
  assert.deepEqual(assembleTrack(frames, options, groups), whole);
  assert.equal(trackLength(whole), 6);
  assert.deepEqual(
    whole.groups.flatMap((group) => group.frames.map(({ frame }) => frame)),
    order,
  );
});

test("the source of D is kept once per frame, in whole macroblocks", async () => {
  const track = await encodeTrack(frames, { framesPerSecond: 25 });
  const [group] = track.groups;
  const { live } = group!.map;
  assert.deepEqual(live, { x: 0, y: 1, width: 6, height: 2 });
  const [first, , , , last] = group!.frames;
  assert.equal(first!.background, last!.background);
  assert.equal(first!.background.length, 96 * 32 * 1.5);
  // The 17th row of the frame, and its last sample again where the frame has ended.
  const row = pictures[1]!.y.subarray(16 * 94, 17 * 94);
  assert.deepEqual(first!.background.subarray(0, 94), row);
  assert.equal(first!.background[95], row[93]);
});

test("what is coded looks like the source, the better the finer the quantiser", async () => {
  const errorAt = async (qp: number) => {
    let error = 0;
    await encodeTrack(frames, {
      framesPerSecond: 25,
      intraQp: qp,
      interQp: qp,
      onPicture: ({ source, shown }) => {
        const { y } = shown();
        for (const [i, value] of source.y.entries()) error += (value - y[i]!) ** 2;
      },
    });
    return error / (order.length * 94 * 62);
  };
  const errors = [await errorAt(12), await errorAt(24), await errorAt(36)];
  for (const [n, qp] of [12, 24, 36].entries()) {
    assert.ok(errors[n]! < 2 ** ((qp - 4) / 3) / 6, `QP ${qp}: ${errors[n]}`);
  }
  assert.ok(errors[0]! < errors[1]! && errors[1]! < errors[2]!);
});

test("options out of their range are refused", () => {
  for (const wrong of [
    { intraQp: 9 },
    { interQp: 46 },
    { groupFrames: 257 },
    { groupFrames: 0 },
    { keyEveryFrames: -1 },
    { softEdge: 1.5 },
  ]) {
    assert.throws(() => settingsOf({ framesPerSecond: 25, ...wrong }), RangeError);
  }
});
