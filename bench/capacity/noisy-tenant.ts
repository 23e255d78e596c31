import { SeededRandom } from "../../test/fuzz/random.ts";
import { manyIds } from "../../test/support/many-avatars.ts";
import { round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { Histogram } from "./histogram.ts";
import { ask, exponential, pause } from "./person.ts";
import { SETTINGS } from "./settings.ts";
import { createWorld, type World } from "./world.ts";

const TENANTS = 20;
const NOISE = 20;
const FRAMES = 8;
/** The others together ask for so much of what the workers can do. */
const UTILISATION = 0.5;
const MEASURED_MS = 300_000;

/** One GPU; tenants who ask for 8 frames at random times; one of them asks for 20 times his share. */
export async function benchNoisyTenant(): Promise<Rows> {
  const quiet = await simulate(false);
  const loud = await simulate(true);
  const row = (name: string, { latency, requests, his, refused }: Result, growth: string) => ({
    tenants: name,
    requests,
    "p50 ms": latency.quantile(0.5),
    "p99 ms": latency.quantile(0.99),
    "p99 grows by": growth,
    "his requests": his,
    "refused to him": refused,
  });
  const growth = loud.latency.quantile(0.99) / quiet.latency.quantile(0.99) - 1;
  return [
    row("everybody asks for his share", quiet, ""),
    row(`one asks for ${NOISE}x`, loud, `${round(100 * growth, 0)} %`),
  ];
}

interface Result {
  /** Of the others' requests, from asking to the last frame. */
  readonly latency: Histogram;
  requests: number;
  his: number;
  refused: number;
}

async function simulate(isLoud: boolean): Promise<Result> {
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
    const rate = isHim && isLoud ? everyMs / NOISE : everyMs;
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
