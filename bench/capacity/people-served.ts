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

/** Who talks with whom and when is drawn anew for each: one crowd has luck, three have less. */
const SEEDS = [SETTINGS.seed, SETTINGS.seed + 1000, SETTINGS.seed + 2000];
/** Of what is published: where the search begins. */
const SEARCHED = { least: 0.45, most: 1 };

export interface CrowdOptions {
  readonly seed?: number;
  readonly warmUpMs?: number;
  readonly measuredMs?: number;
}

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
  options: CrowdOptions = {},
): Promise<Crowd> {
  const { seed = SETTINGS.seed, warmUpMs = WARM_UP_MS, measuredMs = MEASURED_MS } = options;
  const ids = manyIds(SETTINGS.avatars);
  const world = await createWorld({ gpus, ids });
  const draw = zipf(ids, new SeededRandom(seed));
  const chosen = Array.from({ length: people }, draw);
  await world.settle(
    Promise.all([...new Set(chosen)].map((id) => world.core.registry.load(id, false))),
  );
  const audience = new Audience();
  let isOver = false;
  const conversations = chosen.map((id, n) =>
    converse(world, id, new SeededRandom(seed + n), audience, () => isOver),
  );
  await world.clock.advanceBy(warmUpMs);
  world.watch.isMeasuring = true;
  audience.reset();
  const busyBefore = busyMs(world.devices);
  await world.clock.advanceBy(measuredMs);
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
    utilisation: busy / (workers * measuredMs),
    framesPerSecond: (1000 * world.watch.measuredFrames) / measuredMs,
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

/** People served, median of several crowds, beside what is published. */
export async function benchPeopleServed(gpuCounts: readonly number[]): Promise<Rows> {
  const rows: Rows[number][] = [];
  for (const gpus of gpuCounts) {
    const crowds: Crowd[] = [];
    for (const seed of SEEDS) crowds.push(await largestServed(gpus, seed));
    crowds.sort((a, b) => a.people - b.people);
    const median = crowds[crowds.length >> 1]!;
    const ideal = publishedPeople(gpus);
    rows.push({
      GPUs: gpus,
      people: median.people,
      "least, most": `${crowds[0]!.people}, ${crowds.at(-1)!.people}`,
      "published people": Math.round(ideal),
      share: round(median.people / ideal, 2),
      "frames/s": Math.round(median.framesPerSecond),
      "published frames/s": (PUBLISHED.framesPerSecond * gpus) / 8,
      utilisation: round(median.utilisation, 2),
      "queueing p50 ms": median.p50Ms,
      "p99 ms": median.p99Ms,
      "late frames": `${round(100 * median.lateShare, 2)} %`,
      "first frame p99 ms": median.firstFrameP99Ms,
      "copies in memory": median.replicas,
    });
  }
  return rows;
}

/** The largest crowd whose 99th percentile of queueing stays below the limit. */
async function largestServed(gpus: number, seed: number): Promise<Crowd> {
  const ideal = publishedPeople(gpus);
  let best: Crowd | null = null;
  let low = Math.floor(SEARCHED.least * ideal);
  let high = Math.ceil(SEARCHED.most * ideal);
  while (high - low > Math.max(1, PRECISION * ideal)) {
    const people = Math.ceil((low + high) / 2);
    const crowd = await simulateCrowd(gpus, people, { seed });
    const isInTime = crowd.p99Ms < SETTINGS.queueLimitMs && crowd.lateShare < MAX_LATE;
    if (isInTime && crowd.failed === 0) {
      best = crowd;
      low = people;
    } else high = people - 1;
  }
  if (!best) throw new Error(`fewer than ${low} people are served with ${gpus} GPUs`);
  return best;
}

function publishedPeople(gpus: number): number {
  return (PUBLISHED.people * gpus) / 8;
}

function busyMs(devices: readonly { workers: readonly { busyMs: number }[] }[]): number {
  return devices.flatMap(({ workers }) => workers).reduce((sum, worker) => sum + worker.busyMs, 0);
}
