import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "./clock.ts";

test("timers run in time order, equal ones in the order they were made", async () => {
  const clock = new VirtualClock();
  const calls: string[] = [];
  for (const [name, ms] of [
    ["c", 30],
    ["a", 10],
    ["b1", 20],
    ["b2", 20],
  ] as const) {
    clock.after(ms, () => calls.push(`${name}@${clock.now()}`));
  }
  const cancel = clock.after(15, () => calls.push("cancelled"));
  cancel();
  await clock.advanceTo(25);
  assert.deepEqual(calls, ["a@10", "b1@20", "b2@20"]);
  assert.equal(clock.now(), 25);
  await clock.advanceBy(5);
  assert.equal(calls.at(-1), "c@30");
});

test("what follows from a timer happens at its time, promises included", async () => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  const chain = async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => clock.after(10, resolve));
      seen.push(clock.now());
    }
  };
  const done = chain();
  await clock.advanceTo(100);
  await done;
  assert.deepEqual(seen, [10, 20, 30]);
});

test("a thousand timers in random order come out sorted", async () => {
  const clock = new VirtualClock();
  const times: number[] = [];
  for (let i = 0; i < 1000; i++) clock.after((i * 7919) % 997, () => times.push(clock.now()));
  await clock.advanceTo(1000);
  assert.equal(times.length, 1000);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
});
