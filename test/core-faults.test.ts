import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { silentLogger } from "../avatar/logger.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { startCore } from "../gpu-core/main.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../proto/gen/grpc/health/v1/health_pb.js";
import { ModelState } from "../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { connectCaller } from "./support/core-caller.ts";
import { buildTinyUnet, temporaryFolder, tone, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** Resident memory of a process, where the system tells; 0 elsewhere. */
async function residentBytes(pid: number): Promise<number> {
  if (process.platform !== "linux") return 0;
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

/** A core of real processes with the avatars ada and ben. */
async function start(
  t: { after(end: () => Promise<void>): void },
  settings: {
    faults?: object[];
    gpus?: object;
    supervision?: object;
    capacity?: object;
    models?: object;
    server?: object;
  } = {},
) {
  const root = await temporaryFolder(t);
  const version = await writeTinyAvatar(root, "ada");
  await writeTinyAvatar(root, "ben");
  const { gpus, ...others } = settings;
  const config = {
    models_root: root,
    server: { port: 0 },
    gpus: { cpu_threads_per_worker: 1, ...gpus },
    ...others,
  };
  const running = await startCore(parseCoreConfig(config, "test"), silentLogger);
  t.after(() => running.stop());
  const caller = connectCaller(running.url);
  t.after(async () => caller.close());
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${running.url}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line.startsWith(`mouthpiece_core_${name}`));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };
  const modelFile = join(root, "avatars", "ada", version, "model.onnx");
  return { ...running, ...caller, metric, modelFile, root };
}

test("SIGKILL under load: every request goes on elsewhere, to the same bytes", async (t) => {
  const { core, speak, metric } = await start(t, { gpus: { count: 2 } });
  const expected = (await speak("ada", 40)).checksums;
  await speak("ben", 1);
  let isOver = false;
  const spoken: Awaited<ReturnType<typeof speak>>[] = [];
  const clients = Array.from({ length: 6 }, async (_, n) => {
    while (!isOver) spoken.push(await speak(n % 2 === 0 ? "ada" : "ben", 40));
  });
  for (let kill = 0; kill < 4; kill++) {
    const device = core.engine.devices[kill % 2]!;
    for (let i = 0; i < 500 && core.queuedOn(device.index) === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    process.kill(device.pid!, "SIGKILL");
    for (let i = 0; i < 500 && device.restarts <= Math.floor(kill / 2); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (let i = 0; i < 500 && device.state !== "ready"; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(device.state, "ready");
    // Long enough that nobody meets two of them.
    const seen = spoken.length;
    for (let i = 0; i < 500 && spoken.length < seen + 12; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(spoken.length >= seen + 12, "it serves again");
  }
  isOver = true;
  await Promise.all(clients);
  for (const { error, checksums } of spoken) {
    assert.equal(error, null);
    assert.deepEqual(checksums, expected);
  }
  assert.ok((await metric("requests_retried_total")) >= 1);
  assert.equal(await metric("device_restarts_total"), 4);
});

test("a run that hangs costs its process, and nobody his request", async (t) => {
  const faults = [{ point: "model.run", action: "hang", model: "ada", process: 0, skip: 5 }];
  const { speak, metric } = await start(t, { faults, supervision: { run_timeout_s: 0.5 } });
  const { error, frames } = await speak("ada", 20);
  assert.equal(error, null);
  assert.equal(frames, 20);
  assert.equal(await metric("requests_retried_total"), 1);
  assert.equal(await metric("device_restarts_total"), 1);
});

test("a process that dies in a run is the same to the caller", async (t) => {
  const faults = [{ point: "model.run", action: "exit", process: 0, skip: 3 }];
  const { speak, metric } = await start(t, { faults });
  const { error, frames } = await speak("ada", 20);
  assert.equal(error, null);
  assert.equal(frames, 20);
  assert.equal(await metric("requests_retried_total"), 1);
});

test("a model whose load ends every process is left alone, and others are served", async (t) => {
  const faults = [{ point: "model.load", action: "exit", model: "ada", count: 0 }];
  const { speak, metric } = await start(t, { faults });
  const { error } = await speak("ada", 1);
  assert.equal(error?.code, Code.Unavailable);
  assert.match(error.rawMessage, /ada cannot be loaded: device 0 ended/);
  assert.equal((await speak("ben", 5)).error, null);
  assert.equal(await metric("device_restarts_total"), 2);
  assert.equal(await metric('model_loads_total{result="failed"}'), 2);
});

test("a load that fails is told with its reason and when it is tried again, then works", async (t) => {
  const faults = [{ point: "model.load", action: "fail", model: "ada" }];
  const { speak, rpc } = await start(t, { faults });
  const { error } = await speak("ada", 1);
  assert.equal(error?.code, Code.Unavailable);
  assert.match(error.rawMessage, /injected fault at model.load \(attempt 1; the next one in 1 s\)/);
  assert.equal(error.metadata.get("retry-after"), "1");
  assert.equal((await rpc.loadModel({ modelId: "ada" })).model?.error, "");
  assert.equal((await speak("ada", 3)).error, null);
});

test("a caller's deadline holds while the worker is slow", async (t) => {
  const faults = [{ point: "model.run", action: "delay", delay_ms: 300, count: 0 }];
  const { speak, metric } = await start(t, { faults });
  const { error, frames } = await speak("ada", 50, { timeoutMs: 1000 });
  assert.equal(error?.code, Code.DeadlineExceeded);
  assert.ok(frames < 10);
  const made = await metric("frames_total");
  await new Promise((resolve) => setTimeout(resolve, 700));
  // What was under way is finished, and nothing is begun.
  assert.ok((await metric("frames_total")) <= made + 2);
});

test("a model that makes NaN: speech is black where it does, and whole elsewhere; floats say NaN", async (t) => {
  const { rpc, root } = await start(t);
  await writeTinyAvatar(root, "nan", { unet: buildTinyUnet(undefined, Number.NaN) });
  const speech = new Uint8Array(tone(16_000).buffer);
  const speak = async (modelId: string) => {
    const call = { modelId, speech, utteranceSamples: 16_000n, backgroundIndices: [0, 1, 2] };
    return Array.fromAsync(rpc.inferSpeech(call));
  };
  const well = await speak("ada");
  for (const [n, { width, height, pixels }] of (await speak("nan")).entries()) {
    // The margin is the reference crop's, and the model makes what is within.
    const isWithin = (at: number, size: number) => at >= 3 && at < size - 3;
    for (const [i, value] of pixels.entries()) {
      const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
      const expected = well[n]!.pixels[i];
      if (i % 3 < 2) assert.equal(value, expected);
      else if (isWithin(x, width) && isWithin(y, height)) assert.equal(value, 0, `${x},${y}`);
    }
    assert.ok(well[n]!.pixels.filter((value, i) => i % 3 === 2 && value > 0).length > 1000);
  }

  const { outputs } = await rpc.inferBatch({
    modelId: "nan",
    batchSize: 1,
    visualFrames: new Uint8Array(6 * 320 * 320 * 4),
    audioFeatures: new Uint8Array(32 * 16 * 16 * 4),
  });
  // The float API says what the model made.
  const floats = new Float32Array(outputs[0]!.data.slice().buffer);
  const plane = 320 * 320;
  assert.ok(floats.subarray(0, plane).every(Number.isNaN));
  assert.ok(floats.subarray(plane).every(Number.isFinite));
});

test("a file that is damaged while the model serves: the old copy goes on, a reload says why", async (t) => {
  const { speak, rpc, modelFile } = await start(t);
  assert.equal((await speak("ada", 2)).error, null);
  await writeFile(modelFile, "not a model");
  await assert.rejects(rpc.loadModel({ modelId: "ada", forceReload: true }), /export the model/);
  assert.equal((await speak("ada", 2)).error, null);
});

test("32 clients load and unload one model a thousand times, for real", async (t) => {
  // On a machine that is slow loads may queue up for longer than requests usually wait.
  const server = { port: 0, queue_timeout_s: 0 };
  const { core, rpc, speak, metric } = await start(t, { server });
  const expected = (await speak("ada", 6)).checksums;
  const round = async (calls: number) => {
    let left = calls;
    let spoken = 0;
    const clients = Array.from({ length: 32 }, async (_, client) => {
      for (let i = 0; left-- > 0; i++) {
        const turn = (client + i) % 4;
        if (turn === 0) await rpc.unloadModel({ modelId: "ada" });
        else if (turn === 3) {
          const { error, checksums } = await speak("ada", 6);
          // Unloaded under its hands is the one thing that may happen, and is said.
          if (error) assert.equal(error.code, Code.Unavailable, error.message);
          else assert.deepEqual(checksums, expected);
          if (!error) spoken++;
        } else await rpc.loadModel({ modelId: "ada", forceReload: i % 5 === 0 });
      }
    });
    await Promise.all(clients);
    assert.ok(spoken > calls / 8, `${spoken} spoken`);
    await rpc.unloadModel({ modelId: "ada" });
    for (let i = 0; i < 500 && core.registry.loadedCount > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(core.registry.usage(0).memoryBytes, 0);
    assert.equal(core.registry.hostMemoryBytes, 0);
    return residentBytes(core.engine.devices[0]!.pid!);
  };
  const before = await round(200);
  const after = await round(800);
  assert.equal(await metric("device_restarts_total"), 0);
  assert.equal((await rpc.listModels({})).models.find((m) => m.modelId === "ada")?.error, "");
  const grownMb = (after - before) / 1e6;
  assert.ok(grownMb < 64, `${grownMb} MB more after 800 calls`);
});

test("the port is open and requests are served while models are preloaded; it is ready afterwards", async (t) => {
  const faults = [{ point: "model.load", action: "delay", model: "ada", delay_ms: 1500 }];
  const { url, speak, rpc, preloaded } = await start(t, {
    faults,
    gpus: { count: 2 },
    models: { ada: { preload: true, preferred_gpu: 0 } },
  });
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return `${response.status} ${await response.text()}`;
  };
  const health = createClient(Health, createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
  const status = async (service: string) => (await health.check({ service })).status;
  assert.equal(await get("/livez"), "200 live\n");
  assert.equal(await get("/readyz"), "503 models are being preloaded\n");
  assert.equal(await status(""), ServingStatus.NOT_SERVING);
  assert.equal(await status("ada"), ServingStatus.SERVING);
  const { models } = await rpc.listModels({});
  assert.equal(models.find(({ modelId }) => modelId === "ada")?.state, ModelState.LOADING);
  assert.equal((await speak("ben", 1)).error, null);
  await preloaded();
  assert.equal(await get("/readyz"), "200 ready\n");
  assert.equal(await status(""), ServingStatus.SERVING);
});
