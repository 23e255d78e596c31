import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../../avatar/logger.ts";
import { temporaryFolder, tone, writeTinyAvatar } from "../../test/support/tiny-avatar.ts";
import { AUDIO_TENSOR_SIZE } from "../audio/feature-extractor.ts";
import { parseCoreConfig } from "../config.ts";
import { VISUAL_TENSOR_SIZE } from "../model/float-unet.ts";
import { createFolderSource } from "../sources/folder-source.ts";
import { Engine } from "./engine.ts";

/** A worker of a real process that has the tiny avatar, and is slow to load another one. */
async function startWorker(
  t: { after(end: () => Promise<void>): void },
  slowLoadMs: number,
  supervision: object = {},
) {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "tiny");
  const { files } = await createFolderSource(root, {}).resolve("tiny");
  const faults = [
    { point: "model.load", action: "delay", model: "slow", delay_ms: slowLoadMs, count: 0 },
  ];
  const config = { gpus: { cpu_threads_per_worker: 1 }, supervision, faults };
  const engine = new Engine(parseCoreConfig(config, "test"), silentLogger);
  t.after(() => engine.stop());
  await engine.start();
  const device = engine.devices[0]!;
  const worker = device.workers[0]!;
  await worker.load("tiny#1", files, "fp32");
  return { device, worker, loadSlowly: () => worker.load("slow#2", files, "fp32") };
}

test("what waits behind a long load is not taken for hung", async (t) => {
  const { device, worker, loadSlowly } = await startWorker(t, 2500, { run_timeout_s: 1 });
  const loading = loadSlowly();
  await sleep(200);
  const tensors = new Uint8Array(4 * (VISUAL_TENSOR_SIZE + AUDIO_TENSOR_SIZE));
  const batch = worker.runTensors("tiny#1", 1, tensors);
  const [loaded, ran] = await Promise.allSettled([loading, batch]);
  assert.equal(loaded.status, "fulfilled");
  assert.equal(ran.status, "fulfilled");
  assert.equal(device.restarts, 0);
});

test("a speech that is closed before its turn to be opened is not opened", async (t) => {
  const { worker, loadSlowly } = await startWorker(t, 500);
  const window = { samples: tone(16_000), start: 0, utteranceSamples: 16_000 };
  const order = { frame: 0, backgroundIndex: 0, region: { x: 20, y: 20, width: 40, height: 40 } };
  const regions: number[] = [];
  const run = (speech: number) =>
    worker.runFrames("tiny#1", [{ speech, order }], () => regions.push(speech));
  const loading = loadSlowly();
  await sleep(100);
  // Their turn comes when the load has ended.
  const closed = worker.openSpeech("tiny#1", window);
  const kept = worker.openSpeech("tiny#1", window);
  worker.closeSpeech(closed.speech);
  await Promise.all([loading, closed.opened, kept.opened]);
  await run(closed.speech);
  await run(kept.speech);
  assert.deepEqual(regions, [kept.speech]);
});
