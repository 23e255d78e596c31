import { SeededRandom } from "../../test/fuzz/random.ts";
import { manyIds } from "../../test/support/many-avatars.ts";
import { round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { Histogram } from "./histogram.ts";
import { ask, exponential, pause } from "./person.ts";
import { SETTINGS } from "./settings.ts";
import { createWorld, type World } from "./world.ts";

const TENANTS = 20;
/** So many times his share one of them asks for. */
const FACTORS = [1, 2, 5, 10, 20, 40];
const FRAMES = 8;
/** The others together ask for so much of what the workers can do. */
const UTILISATION = 0.5;
const MEASURED_MS = 300_000;

/** One GPU; tenants who ask for 8 frames at random times; one of them asks for more and more. */
export async function benchNoisyTenant(): Promise<Rows> {
  const rows: Rows[number][] = [];
  let quietMs: number | null = null;
  for (const factor of FACTORS) {
    const { latency, requests, his, refused } = await simulate(factor);
    const p99Ms = latency.quantile(0.99);
    quietMs ??= p99Ms;
    rows.push({
      "he asks for": factor,
      "others' requests": requests,
      "p50 ms": latency.quantile(0.5),
      "p99 ms": p99Ms,
      "p99 grows by": `${round(100 * (p99Ms / quietMs - 1), 0)} %`,
      "his requests": his,
      "refused to him": refused,
    });
  }
  return rows;
}

interface Result {
  /** Of the others' requests, from asking to the last frame. */
  readonly latency: Histogram;
  requests: number;
  his: number;
  refused: number;
}

/** @param factor of his share */
async function simulate(factor: number): Promise<Result> {
  const ids = manyIds(TENANTS, "tenant");
  const world = await createWorld({ gpus: 1, ids, config: { capacity: { max_replicas: 1 } } });
  await world.settle(Promise.all(ids.map((id) => world.core.registry.load(id, false))));
  const result: Result = { latency: new Histogram(), requests: 0, his: 0, refused: 0 };
  const capacityPerMs = SETTINGS.workersPerGpu / SETTINGS.frameMs;
  const everyMs = (TENANTS * FRAMES) / (UTILISATION * capacityPerMs);
  const pending = new Set<Promise<void>>();
  let isOver = false;
  const tenant = async (id: string, n: number) => {
    const random = new SeededRandom(SETTINGS.seed + n);
    const isHim = n === 0;
    const rate = isHim ? everyMs / factor : everyMs;
    while (!isOver) {
      await pause(world, exponential(random, rate));
      const request = send(world, id, isHim, result).finally(() => pending.delete(request));
      pending.add(request);
    }
  };
  const tenants = ids.map(tenant);
  await world.clock.advanceBy(MEASURED_MS);
  isOver = true;
  await world.settle(Promise.all(tenants));
  await world.settle(Promise.all(pending));
  world.core.registry.close();
  return result;
}

async function send(world: World, id: string, isHim: boolean, result: Result): Promise<void> {
  const started = world.clock.now();
  try {
    for await (const _ of ask(world, id, 0, FRAMES));
  } catch (error) {
    // A full queue is an answer to him who filled it, and a failure for anybody else.
    if (!isHim) throw error;
    result.refused++;
    return;
  }
  if (isHim) result.his++;
  else {
    result.requests++;
    result.latency.add(world.clock.now() - started);
  }
}
