import assert from "node:assert/strict";
import { test } from "node:test";
import { DEMO_SIZE, demoFrame, mouthPose, RECTANGLE_SIDE } from "./character.ts";
import { DEMO_FRAME_COUNT, type Pose, poseAt } from "./motion.ts";

const frames = Array.from({ length: DEMO_FRAME_COUNT }, (_, i) => i);

test("the mouth rectangle is square, of one size, within the frame and around the mouth", () => {
  for (const i of frames) {
    const { rectangle } = demoFrame(i);
    const { x, y, width, height } = rectangle;
    assert.ok(Number.isInteger(x) && Number.isInteger(y));
    assert.equal(width, RECTANGLE_SIDE);
    assert.equal(height, RECTANGLE_SIDE);
    assert.ok(x >= 0 && y >= 0);
    assert.ok(x + width <= DEMO_SIZE.width && y + height <= DEMO_SIZE.height);
    const mouth = mouthPose(i);
    assert.ok(Math.abs(mouth.x - (x + width / 2)) <= 0.5);
    assert.ok(Math.abs(mouth.y - (y + 76)) <= 0.5);
  }
});

test("the mouth moves smoothly, comes to rest at both ends, and does move", () => {
  const places = frames.map(mouthPose);
  const steps = frames.slice(1).map((i) => {
    const [a, b] = [places[i - 1]!, places[i]!];
    return { length: Math.hypot(b.x - a.x, b.y - a.y), turn: Math.abs(b.degrees - a.degrees) };
  });
  for (const { length, turn } of steps) {
    assert.ok(length < 0.75, `a step of ${length} px`);
    assert.ok(turn < 0.08, `a turn of ${turn} degrees`);
  }
  assert.ok(steps[0]!.length < 0.05);
  assert.ok(steps.at(-1)!.length < 0.05);
  const xs = places.map((place) => place.x);
  assert.ok(Math.max(...xs) - Math.min(...xs) > 10);
  assert.ok(places.every(({ degrees }) => Math.abs(degrees) <= 2));
});

test("nothing but eyes and brows jumps between neighbouring frames", () => {
  const bounds: Partial<Record<keyof Pose, number>> = {
    headX: 0.5,
    headY: 0.5,
    turnX: 0.2,
    turnY: 0.2,
    breath: 0.1,
    bodyX: 0.2,
    hairSway: 0.3,
    gazeX: 1.8,
  };
  for (const i of frames.slice(1)) {
    for (const [name, bound] of Object.entries(bounds)) {
      const key = name as keyof Pose;
      const step = Math.abs(poseAt(i)[key] - poseAt(i - 1)[key]);
      assert.ok(step <= bound, `${name} steps by ${step} at ${i}`);
    }
  }
});

test("it blinks two or three times, each for 5 to 7 frames, and shuts its eyes", () => {
  const blinks = frames
    .map((i) => (poseAt(i).blink > 0 ? "x" : " "))
    .join("")
    .trim()
    .split(/ +/);
  assert.ok(blinks.length >= 2 && blinks.length <= 3);
  for (const blink of blinks) assert.ok(blink.length >= 5 && blink.length <= 7);
  assert.equal(frames.filter((i) => poseAt(i).blink === 1).length, blinks.length);
  assert.equal(poseAt(0).blink, 0);
  assert.equal(poseAt(DEMO_FRAME_COUNT - 1).blink, 0);
});

test("frames outside the loop are refused", () => {
  for (const index of [-1, DEMO_FRAME_COUNT, 0.5, Number.NaN]) {
    assert.throws(() => demoFrame(index), RangeError);
  }
});
