import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { connectCaller } from "./support/core-caller.ts";
import { MOUTHPIECE } from "./support/run-command.ts";
import { temporaryFolder, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** `mouthpiece core` as a process of its own. */
async function startProcess(
  t: { after(end: () => Promise<void>): void },
  settings: (root: string) => object,
) {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "ada");
  const path = join(root, "config.yaml");
  const configure = (change: object = {}) =>
    writeFile(path, JSON.stringify({ ...settings(root), ...change }));
  await configure();
  const child = spawn(process.execPath, [MOUTHPIECE, "core", "--config", path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const log: string[] = [];
  createInterface(child.stderr).on("line", (line) => log.push(line));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      const ready = /^ready (.*)$/.exec(line)?.[1];
      if (ready) resolve(ready);
    });
    child.once("exit", () => reject(new Error(`it ended: ${log.join("\n")}`)));
  });
  const caller = connectCaller(url);
  t.after(async () => caller.close());
  return { ...caller, child, ended, log, url, configure };
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("it did not happen in time");
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
  (core.child as ChildProcess).kill("SIGTERM");
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
  const line = core.log.find((each) => each.includes("configuration read again"));
  assert.deepEqual(JSON.parse(line ?? "{}").applied, ["models", "log_level"]);
  assert.deepEqual(JSON.parse(line ?? "{}").pending, ["capacity.max_models"]);
  await core.configure({ models, log_level: "loud" });
  core.child.kill("SIGHUP");
  await until(() => core.log.some((each) => each.includes("configuration not read again")));
  assert.equal((await core.speak("ada", 2)).error, null);
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
