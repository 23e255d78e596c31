import assert from "node:assert/strict";
import { test } from "node:test";
import { startSimulatedCore } from "../../test/support/simulated-core.ts";
import { CoreError } from "../core-error.ts";

const MEGABYTE = 1024 ** 2;

test("a load is single flight, however many ask", async () => {
  const { clock, speak, events, source, core } = await startSimulatedCore();
  const outcomes = Array.from({ length: 40 }, () => speak("a", 1));
  await clock.advanceBy(10);
  assert.equal(core.registry.awaitingLoads, 40);
  await clock.advanceBy(5000);
  assert.equal(core.registry.awaitingLoads, 0);
  assert.deepEqual(events.lookups, { hit: 0, miss: 40 });
  assert.ok(outcomes.every(({ isDone }) => isDone));
  assert.deepEqual(events.loads, { ok: 1, failed: 0 });
  assert.equal(source.resolved.get("a"), 1);
  assert.equal(core.registry.stats.of("a").requests, 40);
});

test("the least recently used model leaves, never one in use", async () => {
  const { clock, speak, inMemory, events, source } = await startSimulatedCore({
    config: { capacity: { max_models: 2 } },
  });
  const long = speak("a", 240);
  await clock.advanceBy(200);
  for (const id of ["b", "c", "d"]) {
    const outcome = speak(id, 1);
    await clock.advanceBy(400);
    assert.ok(outcome.isDone, id);
  }
  assert.deepEqual(inMemory(), [["a", "d"]]);
  assert.equal(events.evictions.capacity, 2);
  await clock.advanceBy(5000);
  assert.ok(long.isDone);
  assert.equal(source.held, 2, "who left released its files");
});

test("when everything is in use the answer is RESOURCE_EXHAUSTED, with when to try again", async () => {
  const { clock, speak } = await startSimulatedCore({ config: { capacity: { max_models: 1 } } });
  speak("a", 200);
  await clock.advanceBy(200);
  const refused = speak("b", 1);
  await clock.advanceBy(200);
  assert.equal(refused.error?.code, "resource_exhausted");
  assert.equal(refused.error.reason, "models_in_use");
  assert.ok(refused.error.retryAfterMs! > 0);
});

test("memory is admitted by what earlier loads were measured to take", async () => {
  const { clock, speak, inMemory, core, events } = await startSimulatedCore({
    engine: {
      memoryBudgetBytes: 250 * MEGABYTE,
      memory: () => ({ hostBytes: 100 * MEGABYTE, deviceBytes: 100 * MEGABYTE }),
    },
  });
  for (const id of ["a", "b", "c"]) {
    const outcome = speak(id, 1);
    await clock.advanceBy(500);
    assert.ok(outcome.isDone, `${id}: ${outcome.error}`);
  }
  assert.deepEqual(inMemory(), [["b", "c"]]);
  assert.equal(events.evictions.memory, 1);
  assert.deepEqual(core.registry.usage(0), { replicas: 2, memoryBytes: 200 * MEGABYTE });
});

test("the host's budget counts what all devices take", async () => {
  const { clock, speak, inMemory } = await startSimulatedCore({
    config: { gpus: { count: 2 }, capacity: { max_memory_gb: 0.25 } },
    engine: {
      devices: 2,
      memory: () => ({ hostBytes: 100 * MEGABYTE, deviceBytes: MEGABYTE }),
    },
  });
  for (const id of ["a", "b", "c", "d"]) {
    speak(id, 1);
    await clock.advanceBy(500);
  }
  assert.deepEqual(inMemory().flat().sort(), ["c", "d"]);
});

test("a model that can never fit is refused with the numbers", async () => {
  const { clock, speak } = await startSimulatedCore({ engine: { memoryBudgetBytes: MEGABYTE } });
  const refused = speak("a", 1);
  await clock.advanceBy(500);
  assert.match(refused.error!.message, /about 16 MB of a device.*raise gpus.memory_gb_per_gpu/);
});

test("LFU keeps what is used often, and forgets yesterday's star", async () => {
  const { clock, speak, inMemory } = await startSimulatedCore({
    config: { capacity: { max_models: 2, eviction_policy: "lfu", idle_timeout_minutes: 0 } },
  });
  const use = async (id: string, times: number) => {
    for (let i = 0; i < times; i++) {
      speak(id, 1);
      await clock.advanceBy(300);
    }
  };
  await use("a", 20);
  await use("b", 2);
  await use("c", 1);
  assert.deepEqual(inMemory(), [["a", "c"]], "b was used less than a, though later");
  await clock.advanceBy(24 * 3600_000);
  await use("b", 3);
  await use("c", 3);
  assert.deepEqual(inMemory().flat().sort(), ["b", "c"], "a was a star a day ago");
});

test("a model that cannot be loaded is UNAVAILABLE with its reason, tried again with back-off", async () => {
  const { clock, speak, source, core } = await startSimulatedCore();
  source.broken.set("a", new CoreError("failed_precondition", "the file is damaged"));
  const attempts: number[] = [];
  for (let second = 0; second < 16; second++) {
    const refused = speak("a", 1);
    const fine = speak("b", 1);
    await clock.advanceBy(1000);
    assert.equal(refused.error?.code, "unavailable");
    assert.match(refused.error.message, /a cannot be loaded: the file is damaged/);
    assert.ok(fine.isDone, "others are served");
    if ((source.resolved.get("a") ?? 0) > attempts.length) attempts.push(second);
  }
  assert.deepEqual(attempts, [0, 1, 3, 7, 15]);
  assert.equal((await core.registry.status("a")).state, "failed");
  await assert.rejects(core.registry.load("a", false), { code: "failed_precondition" });
  source.broken.clear();
  const loading = core.registry.load("a", false);
  await clock.advanceBy(1000);
  assert.equal((await loading).status.state, "ready");
  assert.equal((await core.registry.status("a")).error, "");
});

test("names that do not exist leave nothing behind", async () => {
  const { clock, speak, core } = await startSimulatedCore();
  const refused = speak("nobody", 1);
  await clock.advanceBy(100);
  assert.equal(refused.error?.code, "not_found");
  await assert.rejects(core.registry.load("nobody", true), { code: "not_found" });
  await assert.rejects(core.registry.status("nobody"), { code: "not_found" });
});

test("the queue of a model is bounded, waiting for its load included", async () => {
  const { clock, speak } = await startSimulatedCore({
    config: { server: { queue_size: 5 }, models: { b: { queue_size: 2 } } },
  });
  for (const [id, size] of [
    ["a", 5],
    ["b", 2],
  ] as const) {
    const outcomes = Array.from({ length: 8 }, () => speak(id, 2));
    await clock.advanceBy(2000);
    const codes = outcomes.map(({ isDone, error }) => (isDone ? "ok" : error?.code));
    const refused = Array(8 - size).fill("resource_exhausted");
    assert.deepEqual(codes, [...Array(size).fill("ok"), ...refused]);
  }
  const [, , last] = [speak("b", 1), speak("b", 1), speak("b", 1)];
  await clock.advanceBy(0);
  assert.match(last.error?.message ?? "", /models.b.queue_size/);
});

test("a reload serves the old version until the new one is ready", async () => {
  const { clock, speak, core, source, inMemory } = await startSimulatedCore({
    config: { server: { worker_count_per_gpu: 2 } },
    engine: { workers: 2 },
  });
  const first = speak("a", 1);
  await clock.advanceBy(500);
  assert.ok(first.isDone);
  const long = speak("a", 50);
  await clock.advanceBy(20);
  source.version = "v2";
  const reloading = core.registry.load("a", true);
  await clock.advanceBy(20);
  const during = speak("a", 1);
  await clock.advanceBy(60);
  assert.ok(during.isDone, "served while the new one loads");
  assert.equal((await core.registry.status("a")).version, "v1");
  await clock.advanceBy(5000);
  await reloading;
  assert.ok(long.isDone, "what ran on the old one ended on it");
  assert.equal((await core.registry.status("a")).version, "v2");
  assert.deepEqual(inMemory(), [["a"]]);
  assert.equal(source.held, 1, "the files of the old one were released");
});

test("a reload that fails leaves the old version in service", async () => {
  const { clock, speak, core, source } = await startSimulatedCore();
  speak("a", 1);
  await clock.advanceBy(500);
  source.broken.set("a", new CoreError("failed_precondition", "damaged"));
  await assert.rejects(core.registry.load("a", true), /damaged/);
  const after = speak("a", 1);
  await clock.advanceBy(500);
  assert.ok(after.isDone);
  assert.equal((await core.registry.status("a")).state, "ready");
});

test("another version is loaded when a caller needs it, refused when there is none such", async () => {
  const { clock, speak, source } = await startSimulatedCore();
  speak("a", 1, { version: "v1" });
  await clock.advanceBy(500);
  const refused = speak("a", 1, { version: "v2" });
  await clock.advanceBy(500);
  assert.equal(refused.error?.code, "failed_precondition");
  source.version = "v2";
  const served = speak("a", 1, { version: "v2" });
  await clock.advanceBy(500);
  assert.ok(served.isDone);
});

test("models that nobody uses leave after the idle timeout", async () => {
  const { clock, speak, inMemory, events } = await startSimulatedCore({
    config: { capacity: { idle_timeout_minutes: 10 } },
  });
  speak("a", 1);
  await clock.advanceBy(9 * 60_000);
  assert.deepEqual(inMemory(), [["a"]]);
  speak("b", 1);
  await clock.advanceBy(2 * 60_000);
  assert.deepEqual(inMemory(), [["b"]]);
  assert.equal(events.evictions.idle, 1);
});

test("a model that is preloaded stays, though nobody uses it", async () => {
  const { clock, speak, inMemory } = await startSimulatedCore({
    config: { capacity: { idle_timeout_minutes: 10 }, models: { a: { preload: true } } },
  });
  speak("b", 1);
  await clock.advanceBy(20 * 60_000);
  assert.deepEqual(inMemory(), [["a"]]);
});

test("explicit control: requests load nothing but what is preloaded or was loaded by name", async () => {
  const { clock, core, engine, speak, inMemory } = await startSimulatedCore({
    config: { model_control: "explicit", models: { a: { preload: true } } },
  });
  const { registry } = core;
  const outcomeOf = async (id: string) => {
    const outcome = speak(id, 1);
    await clock.advanceBy(2000);
    return outcome.isDone ? "served" : outcome.error?.code;
  };
  assert.equal(await outcomeOf("a"), "served");
  assert.equal(await outcomeOf("b"), "failed_precondition");
  await assert.rejects(registry.prewarm("b"), /mouthpiece models load b.*models.b.preload/);
  assert.equal(await outcomeOf("nobody"), "not_found");
  assert.equal((await registry.status("b")).isServed, false);

  const load = registry.load("b", false);
  await clock.advanceBy(1000);
  await load;
  assert.equal(await outcomeOf("b"), "served");
  // What a device took is loaded again when it is asked for; an idle hour takes nothing.
  engine.devices[0]!.kill();
  await clock.advanceBy(60 * 60_000);
  assert.equal((await registry.status("b")).isServed, true);
  assert.equal(await outcomeOf("b"), "served");
  await clock.advanceBy(2 * 60 * 60_000);
  assert.deepEqual(inMemory()[0]!.sort(), ["a", "b"]);

  for (const id of ["a", "b"]) registry.unload(id);
  for (const id of ["a", "b"]) assert.equal(await outcomeOf(id), "failed_precondition", id);
  engine.devices[0]!.kill();
  await clock.advanceBy(10_000);
  assert.deepEqual(inMemory(), [[]], "a device that comes back does not undo it");
});

test("a hot model gets replicas on other workers and gives them back", async () => {
  const { clock, speak, inMemory, events } = await startSimulatedCore({
    config: { server: { worker_count_per_gpu: 4 } },
    engine: { workers: 4 },
  });
  let isHot = true;
  const talk = async () => {
    while (isHot) {
      const outcome = speak("a", 20);
      while (!outcome.isDone && !outcome.error) {
        await new Promise<void>((resolve) => clock.after(10, resolve));
      }
      assert.equal(outcome.error, null);
    }
  };
  const talkers = Array.from({ length: 6 }, talk);
  await clock.advanceBy(30_000);
  assert.ok(inMemory().flat().length >= 3, inMemory().join());
  isHot = false;
  await clock.advanceBy(1_300_000);
  await Promise.all(talkers);
  assert.deepEqual(inMemory().flat(), ["a"]);
  assert.equal(events.evictions.replica, events.loads.ok - 1);
});

test("a cold model keeps one replica", async () => {
  const { clock, speak, inMemory } = await startSimulatedCore({
    config: { server: { worker_count_per_gpu: 4 } },
    engine: { workers: 4 },
  });
  for (let i = 0; i < 100; i++) {
    speak("a", 10);
    await clock.advanceBy(1000);
  }
  assert.deepEqual(inMemory().flat(), ["a"]);
});

test("32 clients load and unload one model a thousand times", async () => {
  const { clock, core, speak, source, inMemory } = await startSimulatedCore();
  let calls = 0;
  const clients = Array.from({ length: 32 }, async (_, client) => {
    for (let i = 0; i < 32; i++) {
      calls++;
      if ((client + i) % 3 === 0) core.registry.unload("a");
      else if ((client + i) % 3 === 1) await core.registry.load("a", (client + i) % 2 === 0);
      else speak("a", 3);
      await new Promise<void>((resolve) => clock.after((client * 7 + i * 13) % 50, resolve));
    }
  });
  await clock.advanceBy(600_000);
  await Promise.all(clients);
  assert.equal(calls, 1024);
  const copies = inMemory().flat().length;
  assert.ok(copies <= 1);
  assert.equal(source.held, copies);
  assert.equal(core.registry.usage(0).replicas, copies);
  assert.equal((await core.registry.status("a")).state, copies === 1 ? "ready" : "unloaded");
  core.registry.unload("a");
  await clock.advanceBy(1000);
  assert.equal(core.registry.usage(0).memoryBytes, 0);
  assert.equal(core.registry.hostMemoryBytes, 0);
});

test("preloads follow the devices, and one broken model does not keep the others", async () => {
  const { clock, engine, source, inMemory, core } = await startSimulatedCore({
    config: { gpus: { count: 2 }, models: { a: { preload: true }, b: { preload: true } } },
    engine: { devices: 2 },
  });
  source.broken.set("a", new CoreError("failed_precondition", "damaged"));
  await clock.advanceBy(1000);
  assert.deepEqual(inMemory().flat().sort(), ["a", "b"]);
  const at = inMemory().findIndex((ids) => ids.includes("b"));
  engine.devices[at]!.kill(true);
  await clock.advanceBy(1000);
  assert.deepEqual(inMemory()[1 - at]?.includes("b"), true);
  assert.equal((await core.registry.status("b")).state, "ready");
});

test("reconfigure preloads new models, loads changed ones again and frees removed ones", async () => {
  const { clock, core, events, source } = await startSimulatedCore();
  const first = core.registry.reconfigure({ a: { preload: true } });
  await clock.advanceBy(1000);
  await first;
  assert.equal((await core.registry.status("a")).state, "ready");
  assert.equal(events.loads.ok, 1);
  const second = core.registry.reconfigure({ a: { preload: true, precision: "fp16" } });
  await clock.advanceBy(1000);
  await second;
  assert.equal(events.loads.ok, 2);
  source.ids.delete("a");
  const third = core.registry.reconfigure({});
  await clock.advanceBy(1000);
  await third;
  await assert.rejects(core.registry.status("a"), { code: "not_found" });
  assert.equal(core.registry.loadedCount, 0);
});

test("a replica that is on its way when its model is unloaded and asked for again is not lost", async () => {
  const { clock, core, source, speak, inMemory } = await startSimulatedCore({
    config: { server: { worker_count_per_gpu: 2 } },
    engine: { workers: 2 },
  });
  // The files of the second copy take long to come, as from a bucket.
  const resolve = source.resolve.bind(source);
  let slow = false;
  source.resolve = async (id) => {
    if (slow && source.resolved.get(id) === 1) {
      slow = false;
      source.resolved.set(id, 2);
      await new Promise<void>((done) => clock.after(5000, done));
    }
    return resolve(id);
  };
  const first = speak("a", 1);
  await clock.advanceBy(500);
  assert.ok(first.isDone);
  slow = true;
  let isHot = true;
  const talk = async () => {
    while (isHot) {
      const outcome = speak("a", 20);
      while (!outcome.isDone && !outcome.error) {
        await new Promise<void>((done) => clock.after(10, done));
      }
    }
  };
  const talkers = Array.from({ length: 6 }, talk);
  for (let i = 0; i < 600 && source.resolved.get("a") === 1; i++) await clock.advanceBy(100);
  assert.equal(source.resolved.get("a"), 2, "a replica is on its way");
  isHot = false;
  await clock.advanceBy(2000);
  await Promise.all(talkers);
  core.registry.unload("a");
  await clock.advanceBy(100);
  const again = speak("a", 1);
  await clock.advanceBy(10_000);
  assert.ok(again.isDone);
  core.registry.unload("a");
  await clock.advanceBy(10_000);
  assert.deepEqual(inMemory().flat(), []);
  assert.deepEqual(core.registry.usage(0), { replicas: 0, memoryBytes: 0 });
  assert.equal(core.registry.hostMemoryBytes, 0);
  assert.equal(source.held, 0);
});

test("a device that ends between the end of a load and its measurement has nothing of it", async () => {
  const { clock, core, engine, speak, inMemory } = await startSimulatedCore();
  const [worker] = engine.devices[0]!.workers;
  const load = worker!.load.bind(worker);
  let ends = 1;
  worker!.load = async (name) => {
    const memory = await load(name);
    if (ends-- <= 0) return memory;
    worker!.device.kill();
    // Asking the driver what is free takes as long as this, and the next process is up by then.
    await new Promise<void>((done) => clock.after(1500, done));
    return memory;
  };
  const first = speak("a", 2);
  await clock.advanceBy(10_000);
  assert.equal(first.error, null);
  assert.ok(first.isDone);
  const second = speak("a", 2);
  await clock.advanceBy(1000);
  assert.ok(second.isDone, String(second.error));
  assert.deepEqual(inMemory(), [["a"]]);
  assert.equal(core.registry.usage(0).replicas, 1);
});
