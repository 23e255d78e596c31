import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayoutClock } from "./playout-clock.ts";

const FRAME_MS = 40;

interface Run {
  readonly from: number;
  readonly seconds: number;
  readonly delayOf: (n: number) => number;
  readonly isPause: boolean;
}

/** Frames of `seconds`, each late by what `delayOf` says. */
function run(
  clock: PlayoutClock,
  { from = 0, seconds = 20, delayOf = () => 0, isPause = true }: Partial<Run> = {},
) {
  let late = 0;
  let moves = 0;
  for (let n = 0; n < (1000 * seconds) / FRAME_MS; n++) {
    const timeMs = from + n * FRAME_MS;
    const localMs = 5000 + timeMs + delayOf(n);
    if (clock.at(localMs) > timeMs) late++;
    if (clock.arrived(timeMs, localMs, isPause)) moves++;
  }
  return { late, moves };
}

test("it begins behind what comes first, and comes as near as what arrives lets it", () => {
  const clock = new PlayoutClock({ targetMs: 100 });
  assert.equal(clock.at(5000), -Infinity);
  const steady = run(clock, { delayOf: (n) => (n * 7) % 30 });
  assert.deepEqual(steady, { late: 0, moves: 2 });
  assert.equal(20_000 - clock.at(5000 + 20_000), 30 + 29, "30 ms behind the latest");
  const wavering = new PlayoutClock({ targetMs: 300 });
  run(wavering, { delayOf: (n) => (n % 4) * 50 });
  assert.equal(
    20_000 - wavering.at(5000 + 20_000),
    150 / 2 + 150,
    "half of its wavering behind it",
  );
});

test("what is late again and again is left more time", () => {
  const clock = new PlayoutClock({ targetMs: 100 });
  // Every eighth second something takes 150 ms longer.
  const { late } = run(clock, { seconds: 120, delayOf: (n) => (n % 200 === 199 ? 150 : 0) });
  assert.ok(late <= 3, `${late} were late`);
});

test("what comes too late moves it back once, and the next are in time", () => {
  const clock = new PlayoutClock({ targetMs: 100 });
  // From the fifth second on everything takes 200 ms longer.
  const { late, moves } = run(clock, { delayOf: (n) => (n > 125 ? 200 : 0) });
  assert.equal(late, 1);
  assert.equal(moves, 3, "to begin with, nearer, and back");
});

test("it comes nearer again, in a pause", () => {
  const clock = new PlayoutClock({ targetMs: 100 });
  run(clock, { seconds: 2, delayOf: (n) => (n > 25 ? 400 : 0) });
  const behindMs = () => 22_000 - clock.at(5000 + 22_000);
  const before = behindMs();
  run(clock, { from: 2000, isPause: false });
  assert.equal(behindMs(), before, "not while something is said");
  run(clock, { from: 22_000, isPause: true });
  assert.ok(behindMs() <= 160, `${behindMs()} ms behind`);
});

test("a page that was asleep goes on with the present", () => {
  const clock = new PlayoutClock({ targetMs: 100 });
  run(clock, { seconds: 1 });
  // Thirty seconds of messages come in the moment in which it wakes.
  const wokeMs = 5000 + 31_000;
  for (let timeMs = 1000; timeMs <= 31_000; timeMs += FRAME_MS) {
    clock.arrived(timeMs, wokeMs, false);
  }
  const behindMs = 31_000 - clock.at(wokeMs);
  assert.ok(behindMs >= 5 && behindMs <= 1000, `${behindMs} ms behind`);
});

test("another local clock makes no jump", () => {
  const clock = new PlayoutClock();
  run(clock, { seconds: 1 });
  const before = clock.at(7000);
  clock.rebase(7000, 120);
  assert.equal(clock.at(120), before);
});
