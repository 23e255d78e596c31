import assert from "node:assert/strict";
import { test } from "node:test";
import { startSimulatedCore } from "../test/support/simulated-core.ts";

const ALL = Array.from({ length: 40 }, (_, i) => i);

test("a request whose device ends goes on elsewhere, without a frame lost or told twice", async () => {
  const { clock, engine, speak, events, inMemory } = await startSimulatedCore({
    config: { gpus: { count: 2 } },
    engine: { devices: 2 },
  });
  const outcomes = ["a", "b", "c"].map((id) => speak(id, 40));
  await clock.advanceBy(250);
  const lost = inMemory()[0]!;
  assert.ok(lost.length > 0);
  engine.devices[0]!.kill(true);
  await clock.advanceBy(10_000);
  for (const { frames, error } of outcomes) {
    assert.equal(error, null);
    assert.deepEqual(frames, ALL);
  }
  assert.equal(events.retries, lost.length);
  assert.deepEqual(inMemory()[1]!.sort(), ["a", "b", "c"]);
});

test("with a single device it waits for the next process", async () => {
  const { clock, engine, speak, events } = await startSimulatedCore();
  const outcome = speak("a", 40);
  await clock.advanceBy(250);
  engine.devices[0]!.kill();
  const meanwhile = speak("b", 5);
  await clock.advanceBy(10_000);
  assert.deepEqual(outcome.frames, ALL);
  assert.ok(meanwhile.isDone);
  assert.equal(events.retries, 1);
});

test("the second time the caller is told", async () => {
  const { clock, engine, speak } = await startSimulatedCore();
  const outcome = speak("a", 40);
  for (let i = 0; i < 2; i++) {
    await clock.advanceBy(1250);
    engine.devices[0]!.kill();
  }
  await clock.advanceBy(10_000);
  // The first time ended within the first request's load and frames.
  assert.equal(outcome.error === null || outcome.error.code === "device_lost", true);
  assert.ok(outcome.isDone || outcome.error);
});

test("without a device that may come up the answer comes at once", async () => {
  const { clock, engine, speak } = await startSimulatedCore();
  engine.devices[0]!.kill(true);
  const refused = speak("a", 1);
  await clock.advanceBy(10);
  assert.equal(refused.error?.code, "unavailable");
});

test("a model whose load takes its device down is tried once elsewhere, and then left alone", async () => {
  const { clock, engine, speak, core } = await startSimulatedCore({
    config: { gpus: { count: 3 } },
    engine: { devices: 3, loadMs: (name) => (name.startsWith("a#") ? 1000 : 100) },
  });
  const poison = speak("a", 1);
  const fine = speak("b", 1);
  let kills = 0;
  for (let i = 0; i < 100; i++) {
    await clock.advanceBy(50);
    const victim = engine.devices.find(({ workers }) => workers[0]!.isLoading("a"));
    if (victim) {
      kills++;
      victim.kill(true);
    }
  }
  assert.equal(kills, 2);
  assert.equal(poison.error?.code, "unavailable");
  assert.ok(fine.isDone);
  assert.equal((await core.registry.status("a")).state, "failed");
});

test("a caller's deadline holds while a model is loaded", async () => {
  const { clock, speak } = await startSimulatedCore({ engine: { loadMs: () => 5000 } });
  const late = speak("a", 1, { timeoutMs: 1000 });
  await clock.advanceBy(1000);
  assert.equal(late.error?.code, "deadline_exceeded");
  const gone = new AbortController();
  const vanished = speak("a", 1, { signal: gone.signal });
  gone.abort();
  await clock.advanceBy(10);
  assert.equal(vanished.error?.code, "cancelled");
  await clock.advanceBy(10_000);
  const served = speak("a", 1);
  await clock.advanceBy(100);
  assert.ok(served.isDone, "the load went on for the next who asks");
});

test("a load is waited for as long as for a turn, and goes on for the next who asks", async () => {
  const { clock, core, speak, events } = await startSimulatedCore({
    engine: { loadMs: () => 15_000 },
    config: { server: { queue_timeout_s: 10 } },
  });
  const first = speak("a", 1);
  await clock.advanceBy(9_999);
  const second = speak("a", 1);
  await clock.advanceBy(1);
  assert.equal(first.error?.code, "resource_exhausted");
  assert.match(first.error.message, /within 10 s \(server.queue_timeout_s\)/);
  await clock.advanceBy(6000);
  assert.ok(second.isDone);
  assert.equal(events.loads.ok, 1);
  assert.equal(core.registry.stats.of("a").requests, 1);
});

test("a request whose device was lost waits for its next turn anew", async () => {
  const { clock, engine, speak } = await startSimulatedCore({
    engine: { restartMs: 6000 },
    config: { server: { queue_timeout_s: 5 } },
  });
  const outcome = speak("a", 240);
  await clock.advanceBy(1500);
  engine.devices[0]!.kill();
  await clock.advanceBy(4000);
  assert.equal(outcome.error, null);
  await clock.advanceBy(1000);
  assert.match(outcome.error!.message, /server.queue_timeout_s/);
});

test("InferBatch is retried as well", async () => {
  const { clock, engine, core, events } = await startSimulatedCore({
    config: { gpus: { count: 2 } },
    engine: { devices: 2 },
  });
  const request = {
    modelId: "a",
    batchSize: 25,
    visual: new Uint8Array(25 * 6 * 320 * 320 * 4),
    audio: new Uint8Array(25 * 32 * 16 * 16 * 4),
  };
  const answer = core.inferBatch(request, { signal: new AbortController().signal });
  await clock.advanceBy(200);
  const at = engine.devices.findIndex(({ workers }) => workers[0]!.models.size > 0);
  engine.devices[at]!.kill(true);
  await clock.advanceBy(5000);
  assert.equal((await answer).outputs.length, 25);
  assert.equal((await answer).device, 1 - at);
  assert.equal(events.retries, 1);
});

test("InferBatch requests are bounded by their bytes, too", async () => {
  const { clock, core } = await startSimulatedCore({
    config: { server: { tensor_memory_mb: 100 } },
  });
  const request = (batchSize: number) => ({
    modelId: "a",
    batchSize,
    visual: new Uint8Array(batchSize * 6 * 320 * 320 * 4),
    audio: new Uint8Array(batchSize * 32 * 16 * 16 * 4),
  });
  const { signal } = new AbortController();
  const largest = core.inferBatch(request(25), { signal });
  const second = core.inferBatch(request(4), { signal });
  await assert.rejects(second, { code: "resource_exhausted", reason: "queue_full" });
  const small = core.inferBatch(request(1), { signal });
  await clock.advanceBy(5000);
  assert.equal((await largest).outputs.length, 25);
  await small;
  const again = core.inferBatch(request(4), { signal });
  await clock.advanceBy(5000);
  assert.equal((await again).outputs.length, 4);
});

test("a reader that stands still does not keep a model in memory for ever", async () => {
  const { clock, core, engine, source } = await startSimulatedCore({
    config: { server: { reader_timeout_s: 30 } },
  });
  const request = {
    modelId: "a",
    version: "",
    window: { samples: new Int16Array(160_000), start: 0, utteranceSamples: 160_000 },
    firstFrame: 0,
    backgroundIndices: Array(100).fill(0),
    priority: "live" as const,
  };
  const mouths = core.inferSpeech(request, { signal: new AbortController().signal });
  const first = mouths.next();
  await clock.advanceBy(1000);
  assert.equal((await first).done, false);
  assert.equal(core.queuedOn(0), 1);
  await clock.advanceBy(31_000);
  assert.equal(core.queuedOn(0), 0);
  assert.equal(engine.devices[0]!.workers[0]!.speeches, 0);
  core.registry.unload("a");
  await clock.advanceBy(1000);
  assert.equal(source.held, 0);
  await assert.rejects(mouths.next(), /no frame was taken for 30 s/);
});

test("a live request does not wait for preloads that wait for live speech", async () => {
  const models = Object.fromEntries(["b", "c", "d"].map((id) => [id, { preload: true }]));
  const { clock, core, speak, engine } = await startSimulatedCore({
    config: { server: { queue_size: 100 } },
    engine: { frameMs: () => 39 },
  });
  speak("a", 240);
  speak("a", 240);
  await clock.advanceBy(500);
  void core.registry.reconfigure(models);
  await clock.advanceBy(2000);
  assert.deepEqual([...engine.devices[0]!.workers[0]!.models].length, 1, "preloads wait");
  const live = speak("b", 1);
  await clock.advanceBy(1000);
  assert.ok(live.isDone);
});
