import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { randomPicture } from "../../../test/support/h264-streams.ts";
import { PreparedFrameError } from "../prepared-frame-error.ts";
import { assembleTrack, encodeGroup, encodeTrack, settingsOf } from "./encode-track.ts";
import { planGroups } from "./plan-groups.ts";
import { SourceReader } from "./source-reader.ts";
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

test("the source of D is nearly what it was, and is read from any key on", async () => {
  const track = await encodeTrack(frames, { framesPerSecond: 25, keyEveryFrames: 2 });
  const [group] = track.groups;
  const { live } = group!.map;
  assert.deepEqual(live, { x: 0, y: 1, width: 6, height: 2 });
  const reader = new SourceReader(group!);
  for (const index of [3, 4, 1, 5, 0]) {
    reader.read(group!, index);
    const { y } = reader.decoder.coder.reconstruction();
    const expected = pictures[order[index]!]!.y;
    let error = 0;
    for (let row = 0; row < 32; row++) {
      for (let x = 0; x < 94; x++) {
        error += (y[row * 96 + x]! - expected[(16 + row) * 94 + x]!) ** 2;
      }
    }
    assert.ok(error / (32 * 94) < 8, `frame ${index}: ${error / (32 * 94)}`);
  }
  assert.deepEqual(
    group!.frames.map(({ isSourceKey }) => Number(isSourceKey)),
    [1, 0, 1, 0, 1, 0],
  );
});

test("a source that is damaged is refused", async () => {
  const track = await encodeTrack(frames, { framesPerSecond: 25, keyEveryFrames: 0 });
  const [group] = track.groups;
  const [first, ...others] = group!.frames;
  const damaged = { ...first!, source: first!.source.map((slice) => slice.subarray(0, 40)) };
  const reader = new SourceReader(group!);
  const wrong = { ...group!, frames: [damaged, ...others] };
  assert.throws(() => reader.read(wrong, 2), PreparedFrameError);
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
