import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../avatar/logger.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { startCore } from "../../gpu-core/main.ts";
import { connectCaller, type Spoken } from "../../test/support/core-caller.ts";
import { writeTinyAvatar } from "../../test/support/tiny-avatar.ts";
import { median, round } from "../compare.ts";
import type { Rows } from "../rows.ts";

const KILLS = 20;
const CLIENTS = 8;
const IDS = ["ada", "ben", "cleo", "dora"];
const FRAMES = 12;
const BETWEEN_KILLS_MS = 2000;

/** SIGKILL to a device under load, with one device and with two: what is lost, and how long until it serves again. */
export async function benchFaults(): Promise<Rows> {
  return [await measure(1), await measure(2)];
}

async function measure(devices: number) {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  for (const id of IDS) await writeTinyAvatar(root, id);
  const config = {
    models_root: root,
    server: { port: 0 },
    gpus: { count: devices, cpu_threads_per_worker: 1 },
    supervision: { max_restarts: 1000 },
  };
  const running = await startCore(parseCoreConfig(config, "bench"), silentLogger);
  const probe = connectCaller(running.url);
  try {
    for (const id of IDS) await probe.rpc.loadModel({ modelId: id });
    const expected = (await probe.speak(IDS[0]!, FRAMES)).checksums.join();
    let isOver = false;
    let requests = 0;
    const lost: Spoken[] = [];
    const client = async (n: number) => {
      const caller = connectCaller(running.url);
      for (let i = n; !isOver; i++) {
        const id = IDS[i % IDS.length]!;
        const spoken = await caller.speak(id, FRAMES);
        requests++;
        if (spoken.error || spoken.checksums.join() !== expected) lost.push(spoken);
      }
      caller.close();
    };
    const clients = Array.from({ length: CLIENTS }, (_, n) => client(n));
    const recoveries: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_KILLS_MS));
      const device = running.core.engine.devices[kill % devices]!;
      while (device.state !== "ready") await new Promise((resolve) => setTimeout(resolve, 5));
      process.kill(device.pid!, "SIGKILL");
      const killed = performance.now();
      // Until the device itself serves again: its process is up and a model is loaded.
      while (device.state === "ready") await new Promise((resolve) => setTimeout(resolve, 1));
      const served = await probe.speak(IDS[kill % IDS.length]!, 1);
      if (served.error) lost.push(served);
      recoveries.push(performance.now() - killed);
    }
    isOver = true;
    await Promise.all(clients);
    return {
      devices,
      kills: KILLS,
      requests,
      "went on elsewhere": await retriesOf(running.url),
      lost: lost.length,
      "serving again, p50 ms": round(median(recoveries), 0),
      "worst ms": round(Math.max(...recoveries), 0),
    };
  } finally {
    probe.close();
    await running.stop();
    await rm(root, { recursive: true, force: true });
  }
}

async function retriesOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^mouthpiece_core_requests_retried_total (\d+)$/m.exec(text)?.[1]);
}
