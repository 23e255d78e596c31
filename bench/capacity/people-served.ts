import { SeededRandom } from "../../test/fuzz/random.ts";
import { manyIds } from "../../test/support/many-avatars.ts";
import { round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { Audience, converse } from "./person.ts";
import { PUBLISHED, SETTINGS } from "./settings.ts";
import { createWorld } from "./world.ts";
import { zipf } from "./zipf.ts";

/** Until the replicas have settled. */
const WARM_UP_MS = 120_000;
const MEASURED_MS = 40_000;
/** The search ends when it is known to this share. */
const PRECISION = 0.02;
/** Frames that may come after their time. */
const MAX_LATE = 0.01;

export interface Crowd {
  readonly people: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly utilisation: number;
  readonly framesPerSecond: number;
  readonly lateShare: number;
  readonly failed: number;
  readonly replicas: number;
  readonly firstFrameP99Ms: number;
}

/** People in conversations with avatars that are in memory. */
export async function simulateCrowd(
  gpus: number,
  people: number,
  times: { warmUpMs: number; measuredMs: number } = {
    warmUpMs: WARM_UP_MS,
    measuredMs: MEASURED_MS,
  },
): Promise<Crowd> {
  const ids = manyIds(SETTINGS.avatars);
  const world = await createWorld({ gpus, ids });
  const draw = zipf(ids, new SeededRandom(SETTINGS.seed));
  const chosen = Array.from({ length: people }, draw);
  await world.settle(
    Promise.all([...new Set(chosen)].map((id) => world.core.registry.load(id, false))),
  );
  const audience = new Audience();
  let isOver = false;
  const conversations = chosen.map((id, n) =>
    converse(world, id, new SeededRandom(SETTINGS.seed + n), audience, () => isOver),
  );
  await world.clock.advanceBy(times.warmUpMs);
  world.watch.isMeasuring = true;
  audience.reset();
  const busyBefore = busyMs(world.devices);
  await world.clock.advanceBy(times.measuredMs);
  world.watch.isMeasuring = false;
  const busy = busyMs(world.devices) - busyBefore;
  const workers = gpus * SETTINGS.workersPerGpu;
  const replicas = world.devices.reduce(
    (sum, { index }) => sum + world.core.registry.usage(index).replicas,
    0,
  );
  const result = {
    people,
    p50Ms: audience.queueing.quantile(0.5),
    p99Ms: audience.queueing.quantile(0.99),
    utilisation: busy / (workers * times.measuredMs),
    framesPerSecond: (1000 * world.watch.measuredFrames) / times.measuredMs,
    lateShare: audience.lateFrames / Math.max(1, audience.frames),
    failed: audience.failedTurns,
    replicas,
    firstFrameP99Ms: audience.firstFrame.quantile(0.99),
  };
  isOver = true;
  await world.settle(Promise.all(conversations));
  world.core.registry.close();
  return result;
}

/** The largest number of people whose 99th percentile of queueing stays below the limit. */
export async function benchPeopleServed(gpuCounts: readonly number[]): Promise<Rows> {
  const rows: Rows[number][] = [];
  for (const gpus of gpuCounts) {
    const ideal = (PUBLISHED.people * gpus) / 8;
    let best: Crowd | null = null;
    let [low, high] = [0, Math.ceil(1.1 * ideal)];
    while (high - low > Math.max(1, PRECISION * ideal)) {
      const people = Math.ceil((low + high) / 2);
      const crowd = await simulateCrowd(gpus, people);
      const isInTime = crowd.p99Ms < SETTINGS.queueLimitMs && crowd.lateShare < MAX_LATE;
      const isServed = isInTime && crowd.failed === 0;
      if (isServed) {
        best = crowd;
        low = people;
      } else high = people - 1;
    }
    if (!best) throw new Error(`nobody is served with ${gpus} GPUs`);
    rows.push({
      GPUs: gpus,
      people: best.people,
      "published people": Math.round(ideal),
      share: round(best.people / ideal, 2),
      "frames/s": Math.round(best.framesPerSecond),
      utilisation: round(best.utilisation, 2),
      "queueing p50 ms": best.p50Ms,
      "p99 ms": best.p99Ms,
      "late frames": `${round(100 * best.lateShare, 2)} %`,
      "first frame p99 ms": best.firstFrameP99Ms,
      "copies in memory": best.replicas,
    });
  }
  return rows;
}

function busyMs(devices: readonly { workers: readonly { busyMs: number }[] }[]): number {
  return devices.flatMap(({ workers }) => workers).reduce((sum, worker) => sum + worker.busyMs, 0);
}
