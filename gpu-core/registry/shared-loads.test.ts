import assert from "node:assert/strict";
import { test } from "node:test";
import { startSimulatedCore } from "../../test/support/simulated-core.ts";
import { CoreError } from "../core-error.ts";

test("that somebody's version is not there is no failure of who asks for another one", async () => {
  const { clock, speak, source, events } = await startSimulatedCore();
  const stale = Array.from({ length: 20 }, (_, n) => speak("a", 1, { version: `v0-${n}` }));
  const current = speak("a", 1, { version: "v1" });
  const any = speak("a", 1);
  await clock.advanceBy(2000);
  for (const { error } of stale) assert.equal(error?.code, "failed_precondition");
  for (const { error, isDone } of [current, any]) {
    assert.equal(error, null);
    assert.ok(isDone);
  }
  assert.equal(events.loads.ok, 1);
  assert.equal(source.held, 1);
});

test("who waits for a load that is not his is given up by his own limits", async () => {
  const { clock, speak } = await startSimulatedCore({ engine: { loadMs: () => 5000 } });
  speak("a", 1, { version: "v1" });
  const late = speak("a", 1, { timeoutMs: 500 });
  const leaving = new AbortController();
  const left = speak("a", 1, { signal: leaving.signal });
  await clock.advanceBy(600);
  leaving.abort();
  await clock.advanceBy(10);
  assert.equal(late.error?.code, "deadline_exceeded");
  assert.equal(left.error?.code, "cancelled");
});

test("a forced load does not make do with one that began before it", async () => {
  const { clock, speak, core, source, inMemory } = await startSimulatedCore();
  const first = speak("a", 1);
  await clock.advanceBy(50);
  source.version = "v2";
  const forced = [core.registry.load("a", true), core.registry.load("a", true)];
  await clock.advanceBy(2000);
  for (const { status } of await Promise.all(forced)) assert.equal(status.version, "v2");
  assert.ok(first.isDone);
  assert.deepEqual(inMemory(), [["a"]]);
  assert.equal(source.resolved.get("a"), 2, "both have the same one");
});

test("a model that is unloaded while it is loaded leaves, unless a request waits for it", async () => {
  const { clock, speak, core, source, inMemory } = await startSimulatedCore();
  const load = core.registry.load("a", false);
  await clock.advanceBy(50);
  assert.equal(core.registry.unload("a"), true);
  await clock.advanceBy(1000);
  assert.equal((await load).status.state, "unloaded");
  assert.deepEqual(inMemory(), [[]]);
  assert.equal(source.held, 0);
  assert.equal(core.registry.usage(0).memoryBytes, 0);

  void core.registry.load("b", false);
  await clock.advanceBy(50);
  core.registry.unload("b");
  const came = speak("b", 1);
  await clock.advanceBy(1000);
  assert.ok(came.isDone);
  assert.equal(source.resolved.get("b"), 1, "he has the load that was under way");
  assert.deepEqual(inMemory(), [["b"]]);

  const waits = speak("c", 1);
  await clock.advanceBy(50);
  assert.equal(core.registry.unload("c"), false);
  await clock.advanceBy(1000);
  assert.ok(waits.isDone);
});

test("settings that change during a load hold after it", async () => {
  const { clock, speak, core, events } = await startSimulatedCore();
  speak("a", 1);
  await clock.advanceBy(50);
  const reconfigured = core.registry.reconfigure({ a: { preload: false, precision: "fp16" } });
  await clock.advanceBy(2000);
  await reconfigured;
  assert.equal(events.loads.ok, 2);
});

test("a load whose device ends before its turn goes on elsewhere", async () => {
  const { clock, speak, engine } = await startSimulatedCore({
    config: {
      gpus: { count: 2 },
      models: { a: { preferred_gpu: 0 }, b: { preferred_gpu: 0 } },
    },
    engine: { devices: 2 },
  });
  // A device loads one model at a time, and what waits is not with its process yet.
  const worker = engine.devices[0]!.workers[0]!;
  const load = worker.load.bind(worker);
  let turn: Promise<unknown> = Promise.resolve();
  worker.load = (name) => {
    const loaded = turn.then(() => load(name));
    turn = loaded.catch(() => {});
    return loaded;
  };
  const outcomes = ["a", "b"].map((id) => speak(id, 1));
  await clock.advanceBy(50);
  engine.devices[0]!.kill(true);
  await clock.advanceBy(5000);
  for (const { error } of outcomes) assert.equal(error, null);
});

test("a preload that ends its device does so no more often than its back-off lets it", async () => {
  const { clock, engine, core } = await startSimulatedCore({ engine: { restartMs: 100 } });
  const worker = engine.devices[0]!.workers[0]!;
  const load = worker.load.bind(worker);
  const atMs: number[] = [];
  worker.load = async () => {
    atMs.push(clock.now());
    worker.device.kill();
    throw new CoreError("device_lost", "the device ended");
  };
  const reconfigured = core.registry.reconfigure({ a: { preload: true } });
  await clock.advanceBy(20_000);
  await reconfigured;
  // Twice each, at about 0, 1, 3, 7 and 15 seconds.
  assert.ok(atMs.length <= 10, `${atMs.length} loads in 20 s`);
  worker.load = load;
  const corrected = core.registry.reconfigure({ a: { preload: true, precision: "fp16" } });
  await clock.advanceBy(1000);
  await corrected;
  const { state } = await core.registry.status("a");
  assert.equal(state, "ready", "other settings are tried at once");
});
