import assert from "node:assert/strict";
import { test } from "node:test";
import { startSimulatedCore } from "../../test/support/simulated-core.ts";
import type { SimulatedWorker } from "../../test/support/simulated-engine.ts";
import { CoreError } from "../core-error.ts";

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

test("a session on tensors is admitted like a model, and leaves with it", async () => {
  const { clock, core, engine, source, speak, inMemory } = await startSimulatedCore({
    engine: { memoryBudgetBytes: 250 * MEGABYTE, memory: () => megabytes(100) },
  });
  const resolve = source.resolve.bind(source);
  source.resolve = async (id) => {
    const model = await resolve(id);
    // Of its files only that they have crops matters.
    return { ...model, files: { ...model.files, speech: {} as never } };
  };
  const [worker] = engine.devices[0]!.workers;
  const runTensors = worker!.runTensors.bind(worker);
  worker!.runTensors = async (...args) => ({
    ...(await runTensors(...args)),
    growth: megabytes(80),
  });
  const request = {
    modelId: "b",
    batchSize: 1,
    visual: new Uint8Array(6 * 320 * 320 * 4),
    audio: new Uint8Array(32 * 16 * 16 * 4),
  };
  const { signal } = new AbortController();
  const say = async (id: string) => {
    speak(id, 1);
    await clock.advanceBy(3000);
  };
  for (const id of ["a", "b"]) await say(id);
  const first = core.inferBatch(request, { signal });
  await clock.advanceBy(1000);
  await first;
  assert.deepEqual(inMemory(), [["b"]], "it took more than the guess");
  assert.equal(core.registry.usage(0).memoryBytes, 180 * MEGABYTE);
  await say("c");
  await say("b");
  assert.deepEqual(inMemory(), [["c", "b"]], "the two fit without tensors");
  speak("c", 100);
  await clock.advanceBy(100);
  const refused = core.inferBatch(request, { signal });
  await assert.rejects(refused, { code: "resource_exhausted" });
  await clock.advanceBy(5000);
  const second = core.inferBatch(request, { signal });
  await clock.advanceBy(0);
  assert.deepEqual(inMemory(), [["b"]], "room is made before the run");
  await clock.advanceBy(1000);
  await second;
  core.registry.unload("b");
  await clock.advanceBy(10);
  assert.equal(core.registry.usage(0).memoryBytes, 0);
});

/** A worker whose device has room for `most` models, whatever the ledger says. */
function limitModels(worker: SimulatedWorker, most: number): void {
  const load = worker.load.bind(worker);
  worker.load = async (name) => {
    const memory = await load(name);
    if (worker.models.size <= most) return memory;
    worker.models.delete(name);
    throw new CoreError("resource_exhausted", "CUDA failure 2: out of memory", {
      reason: "out_of_memory",
    });
  };
}

test("a device that is fuller than was reckoned gives an idle model, or another device takes the new one", async () => {
  const { clock, engine, speak, inMemory } = await startSimulatedCore({
    config: { gpus: { count: 2 }, models: { b: { preferred_gpu: 0 }, c: { preferred_gpu: 0 } } },
    engine: { devices: 2 },
  });
  const [worker] = engine.devices[0]!.workers;
  limitModels(worker!, 1);
  speak("b", 1);
  await clock.advanceBy(3000);
  const second = speak("c", 200);
  await clock.advanceBy(500);
  assert.deepEqual(inMemory(), [["c"], []]);
  const third = speak("b", 1);
  await clock.advanceBy(500);
  assert.deepEqual(inMemory(), [["c"], ["b"]]);
  assert.ok(third.isDone);
  await clock.advanceBy(5000);
  assert.ok(second.isDone);
});

test("a model for which there is never memory is not FAILED, waits out its back-off and drives out one other", async () => {
  const { clock, core, engine, speak, inMemory, events } = await startSimulatedCore();
  for (const id of ["b", "c"]) {
    speak(id, 1);
    await clock.advanceBy(3000);
  }
  const [worker] = engine.devices[0]!.workers;
  limitModels(worker!, 0);
  for (let second = 0; second < 4; second++) {
    const outcome = speak("a", 1);
    await clock.advanceBy(1000);
    const { error } = outcome;
    assert.equal(error?.code, "resource_exhausted");
    assert.equal(error.reason, "out_of_memory");
    assert.ok(error.retryAfterMs! > 0);
    assert.match(error.message, /a cannot be loaded: .*out of memory \(attempt/);
  }
  assert.deepEqual(inMemory(), [["c"]]);
  assert.equal(events.evictions.memory, 1);
  assert.equal((await core.registry.status("a")).state, "unloaded");
});
