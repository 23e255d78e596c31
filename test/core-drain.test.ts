import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { connectCaller } from "./support/core-caller.ts";
import { spawnServer, until } from "./support/server-process.ts";

/** `mouthpiece core` as a process of its own, and a caller. */
async function startProcess(
  t: { after(end: () => Promise<void>): void },
  settings: (root: string) => object,
) {
  const server = await spawnServer(t, "core", settings);
  const url = await server.ready;
  const caller = connectCaller(url);
  t.after(async () => caller.close());
  return { ...caller, ...server, url };
}

const slow = { point: "model.run", action: "delay", delay_ms: 40, count: 0 };

test("SIGTERM finishes what is under way, refuses what is new, and ends", async (t) => {
  const core = await startProcess(t, (root) => ({
    models_root: root,
    server: { port: 0 },
    faults: [slow],
  }));
  await core.rpc.loadModel({ modelId: "ada" });
  let frames = 0;
  const underWay = core.speak("ada", 40);
  const seen = core.speak("ada", 40, { pauseMs: 1 }).then((spoken) => {
    frames = spoken.frames;
    return spoken;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  core.child.kill("SIGTERM");
  const late = connectCaller(core.url);
  await until(async () => {
    const { error } = await late.speak("ada", 1);
    return error?.code === Code.Unavailable;
  });
  late.close();
  assert.equal((await underWay).error, null);
  assert.equal((await seen).error, null);
  assert.equal(frames, 40);
  assert.equal(await core.ended, 0);
});

test("what does not finish within server.drain_timeout_s is cut, and told so", async (t) => {
  const core = await startProcess(t, (root) => ({
    models_root: root,
    server: { port: 0, drain_timeout_s: 0.5 },
    faults: [{ ...slow, delay_ms: 300 }],
  }));
  await core.rpc.loadModel({ modelId: "ada" });
  const underWay = core.speak("ada", 200);
  await new Promise((resolve) => setTimeout(resolve, 700));
  core.child.kill("SIGTERM");
  const { error, frames } = await underWay;
  assert.equal(error?.code, Code.Unavailable);
  assert.ok(frames < 20);
  assert.equal(await core.ended, 0);
});

test("a caller that does not read holds up neither others nor the end", async (t) => {
  const core = await startProcess(t, (root) => ({
    models_root: root,
    server: { port: 0, drain_timeout_s: 1 },
  }));
  const still = core.speak("ada", 200, { pauseMs: 100_000 });
  const other = connectCaller(core.url);
  const { error, frames } = await other.speak("ada", 100);
  assert.equal(error, null);
  assert.equal(frames, 100);
  other.close();
  core.child.kill("SIGTERM");
  assert.equal(await core.ended, 0);
  core.close();
  // Its timer is long; what matters is that the process has ended.
  void still;
});

test("SIGHUP takes over models and log level, and says what waits; a wrong file changes nothing", async (t) => {
  const core = await startProcess(t, (root) => ({ models_root: root, server: { port: 0 } }));
  const state = async () => (await core.rpc.listModels({ loadedOnly: true })).models.length;
  assert.equal(await state(), 0);
  const models = { ada: { preload: true } };
  await core.configure({ models, log_level: "debug", capacity: { max_models: 7 } });
  core.child.kill("SIGHUP");
  await until(async () => (await state()) === 1);
  const reloads = () => core.log.filter((each) => each.includes("configuration read again"));
  const told = (at: number) => {
    const { applied, pending } = JSON.parse(reloads()[at] ?? "{}");
    return { applied, pending };
  };
  const pending = ["capacity.max_models"];
  assert.deepEqual(told(0), { applied: ["models", "log_level"], pending });
  // What waits for a start is told until there was one.
  core.child.kill("SIGHUP");
  await until(() => reloads().length === 2);
  assert.deepEqual(told(1), { applied: [], pending });
  await core.configure({ models, log_level: "loud" });
  core.child.kill("SIGHUP");
  await until(() => core.log.some((each) => each.includes("configuration not read again")));
  assert.equal((await core.speak("ada", 2)).error, null);
});

test("SIGHUP while the core preloads ends nothing, and holds when it is up", async (t) => {
  const core = await spawnServer(t, "core", (root) => ({
    models_root: root,
    server: { port: 0 },
    models: { ada: { preload: true } },
    faults: [{ point: "model.load", action: "delay", delay_ms: 1000 }],
    log_level: "info",
  }));
  await until(() => core.log.some((line) => line.includes("device ready")));
  await core.configure({ log_level: "debug" });
  core.child.kill("SIGHUP");
  await core.ready;
  await until(() => core.log.some((line) => line.includes('"applied":["log_level"]')));
});

test("a second signal ends it at once", async (t) => {
  const core = await startProcess(t, (root) => ({
    models_root: root,
    server: { port: 0, drain_timeout_s: 600 },
    faults: [{ ...slow, delay_ms: 1000 }],
  }));
  await core.rpc.loadModel({ modelId: "ada" });
  const underWay = core.speak("ada", 200);
  await new Promise((resolve) => setTimeout(resolve, 300));
  core.child.kill("SIGTERM");
  await until(async () => (await core.speak("ada", 1)).error?.code === Code.Unavailable);
  core.child.kill("SIGTERM");
  assert.equal(await core.ended, 1);
  assert.notEqual((await underWay).error, null);
});
