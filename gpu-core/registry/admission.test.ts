import assert from "node:assert/strict";
import { test } from "node:test";
import { startSimulatedCore } from "../../test/support/simulated-core.ts";

const MEGABYTE = 1024 ** 2;

function megabytes(n: number) {
  return { hostBytes: n * MEGABYTE, deviceBytes: n * MEGABYTE };
}

test("a model goes to its preferred device while that has room, and then to another", async () => {
  const { clock, speak, inMemory } = await startSimulatedCore({
    config: {
      gpus: { count: 2 },
      models: { a: { preferred_gpu: 0 }, b: { preferred_gpu: 0 } },
    },
    engine: {
      devices: 2,
      memoryBudgetBytes: 120 * MEGABYTE,
      memory: () => megabytes(100),
    },
  });
  const first = speak("a", 200);
  await clock.advanceBy(500);
  const second = speak("b", 1);
  await clock.advanceBy(500);
  assert.equal(second.error, null);
  assert.deepEqual(inMemory(), [["a"], ["b"]]);
  await clock.advanceBy(5000);
  assert.ok(first.isDone);
});

test("nobody leaves for a model that there would still be no room for", async () => {
  const large = "large#";
  const { clock, speak, inMemory, events } = await startSimulatedCore({
    // Its like is told apart by size and precision.
    config: { models: { large: { precision: "fp16" } } },
    engine: {
      memoryBudgetBytes: 250 * MEGABYTE,
      memory: (name) => megabytes(name.startsWith(large) ? 200 : 60),
    },
    ids: ["large", "a", "b", "c"],
  });
  // Once, so that its size is known; it leaves for the others.
  speak("large", 1);
  await clock.advanceBy(5000);
  speak("a", 1);
  speak("b", 1);
  await clock.advanceBy(5000);
  const long = speak("c", 200);
  await clock.advanceBy(500);
  assert.deepEqual(inMemory(), [["a", "b", "c"]]);
  const before = events.evictions.memory;
  const refused = speak("large", 1);
  await clock.advanceBy(500);
  assert.equal(refused.error?.code, "resource_exhausted");
  assert.deepEqual(inMemory(), [["a", "b", "c"]]);
  assert.equal(events.evictions.memory, before);
  await clock.advanceBy(5000);
  assert.ok(long.isDone);
  const served = speak("large", 1);
  await clock.advanceBy(500);
  assert.ok(served.isDone, "when c is idle all three may leave");
});

test("models are made fewer by the one that is missed least, not by the copies of the others", async () => {
  const { clock, speak, inMemory, events } = await startSimulatedCore({
    config: { server: { worker_count_per_gpu: 2 }, capacity: { max_models: 2 } },
    engine: { workers: 2 },
  });
  speak("b", 1);
  await clock.advanceBy(500);
  for (let i = 0; i < 60 && inMemory().flat().length < 3; i++) {
    for (let n = 0; n < 6; n++) speak("a", 20);
    await clock.advanceBy(1000);
  }
  await clock.advanceBy(10_000);
  assert.deepEqual(inMemory().flat().sort(), ["a", "a", "b"]);
  const before = events.evictions.capacity ?? 0;
  speak("c", 1);
  await clock.advanceBy(500);
  assert.deepEqual(inMemory().flat().sort(), ["a", "a", "c"]);
  assert.equal(events.evictions.capacity, before + 1);
  // With all of its copies, if it is the one.
  speak("c", 1);
  await clock.advanceBy(500);
  speak("d", 1);
  await clock.advanceBy(500);
  assert.deepEqual(inMemory().flat().sort(), ["c", "d"]);
});
