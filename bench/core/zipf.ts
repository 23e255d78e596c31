import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../avatar/logger.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { startCore } from "../../gpu-core/main.ts";
import { SeededRandom } from "../../test/fuzz/random.ts";
import { connectCaller } from "../../test/support/core-caller.ts";
import { manyIds, writeManyAvatars } from "../../test/support/many-avatars.ts";
import { belady, replay, type Use } from "../capacity/replay.ts";
import { zipf } from "../capacity/zipf.ts";
import { median, round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { residentBytes } from "./process-memory.ts";

const AVATARS = 1200;
const ROOM = 100;
const CLIENTS = 4;
const SEED = 11;
const MINUTES = Number(process.env.ZIPF_MINUTES ?? 5);
const FRAMES = 8;
const SAMPLE_EVERY_MS = 2000;

/**
 * 1,200 avatars, room for 100 and Zipf traffic against a real core: errors,
 * memory over time, and the hit rate beside an offline replay of the same
 * trace through a plain cache with the same policy, and through Belady's,
 * which knows the future.
 */
export async function benchZipf(): Promise<Rows> {
  const rows: Rows[number][] = [];
  for (const policy of ["lru", "lfu"] as const) rows.push(await measure(policy));
  return rows;
}

async function measure(policy: "lru" | "lfu") {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  const ids = manyIds(AVATARS);
  await writeManyAvatars(root, ids);
  const config = {
    models_root: root,
    server: { port: 0 },
    gpus: { cpu_threads_per_worker: 1 },
    capacity: { max_models: ROOM, eviction_policy: policy },
  };
  const running = await startCore(parseCoreConfig(config, "bench"), silentLogger);
  try {
    const random = new SeededRandom(SEED);
    const draw = zipf(ids, random);
    const trace: Use[] = [];
    const memory: { atMs: number; bytes: number }[] = [];
    const waits: number[] = [];
    let errors = 0;
    const started = performance.now();
    const endMs = MINUTES * 60_000;
    const sampler = setInterval(() => {
      const pids = [process.pid, ...running.core.engine.devices.map(({ pid }) => pid)];
      memory.push({ atMs: performance.now() - started, bytes: residentBytes(pids) });
    }, SAMPLE_EVERY_MS);
    const client = async () => {
      const caller = connectCaller(running.url);
      while (performance.now() - started < endMs) {
        const id = draw();
        trace.push({ id, atMs: performance.now() });
        const { error, firstMs } = await caller.speak(id, FRAMES, {
          firstFrame: random.below(200),
        });
        if (error) errors++;
        else waits.push(firstMs);
      }
      caller.close();
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    clearInterval(sampler);
    const loads = running.core.registry.stats
      .entries()
      .reduce((sum, [, stats]) => sum + stats.loads, 0);
    const hits = (misses: number) => 1 - misses / trace.length;
    const replayed = replay(trace, ROOM, policy);
    const sorted = waits.toSorted((a, b) => a - b);
    return {
      policy,
      requests: trace.length,
      errors,
      "hit rate": round(hits(loads)),
      "replay, same policy": round(hits(replayed)),
      "of replay": round(hits(loads) / hits(replayed)),
      Belady: round(hits(belady(trace, ROOM))),
      evictions: loads - ROOM,
      "first frame p50 ms": round(median(sorted), 1),
      "p99 ms": round(sorted[Math.floor(sorted.length * 0.99)] ?? 0, 1),
      "MB at 1/3": megabytesAt(memory, endMs / 3),
      "MB at 2/3": megabytesAt(memory, (2 * endMs) / 3),
      "MB at the end": megabytesAt(memory, endMs),
    };
  } finally {
    await running.stop();
    await rm(root, { recursive: true, force: true });
  }
}

/** Median of a tenth of the run before `atMs`. */
function megabytesAt(memory: readonly { atMs: number; bytes: number }[], atMs: number): number {
  const window = MINUTES * 6000;
  const near = memory.filter((sample) => sample.atMs <= atMs && sample.atMs > atMs - window);
  return near.length === 0 ? 0 : Math.round(median(near.map(({ bytes }) => bytes)) / 1024 ** 2);
}
