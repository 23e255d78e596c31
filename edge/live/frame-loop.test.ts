import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../avatar/clock.ts";
import { FrameLoop } from "./frame-loop.ts";

/** A loop whose frames take `costMs` each, and what it made. */
function startLoop(costMs: (timestampMs: number) => number) {
  const clock = new VirtualClock();
  const made: { timestampMs: number; atMs: number }[] = [];
  const loop = new FrameLoop({
    clock,
    originMs: 0,
    async onFrame(timestampMs) {
      made.push({ timestampMs, atMs: clock.now() });
      const cost = costMs(timestampMs);
      if (cost > 0) await new Promise<void>((resolve) => clock.after(cost, resolve));
    },
  });
  loop.start();
  return { clock, loop, made };
}

test("a frame that takes a little longer delays the next ones, which catch up", async () => {
  const { clock, made, loop } = startLoop((timestampMs) => (timestampMs === 400 ? 100 : 0));
  await clock.advanceTo(1000);
  assert.deepEqual(
    made.map(({ timestampMs }) => timestampMs),
    Array.from({ length: 25 }, (_, n) => 40 * (n + 1)),
  );
  assert.deepEqual(
    made.slice(9, 14).map(({ atMs }) => atMs),
    [400, 500, 500, 520, 560],
  );
  assert.equal(loop.skipped, 0);
});

test("after one that takes long, frames are skipped and not sent in a burst", async () => {
  const { clock, made, loop } = startLoop((timestampMs) => (timestampMs === 400 ? 1000 : 0));
  await clock.advanceTo(2000);
  assert.deepEqual(
    made.slice(9, 12).map(({ timestampMs, atMs }) => [timestampMs, atMs]),
    [
      [400, 400],
      [1400, 1400],
      [1440, 1440],
    ],
  );
  assert.equal(loop.skipped, 24);
});

test("frames that all take too long keep up with the time", async () => {
  const { clock, made } = startLoop(() => 90);
  await clock.advanceTo(20_000);
  const { timestampMs, atMs } = made.at(-1)!;
  assert.ok(atMs - timestampMs <= 3 * 40, `${atMs} for ${timestampMs}`);
  assert.ok(made.length > 200);
});

test("a loop that is stopped and started makes one frame at a time", async () => {
  const { clock, made, loop } = startLoop(() => 0);
  await clock.advanceTo(100);
  loop.stop();
  await clock.advanceTo(1000);
  assert.equal(made.length, 2);
  loop.start();
  loop.start();
  await clock.advanceTo(1200);
  assert.deepEqual(
    made.slice(2).map(({ timestampMs }) => timestampMs),
    [1040, 1080, 1120, 1160, 1200],
  );
});
