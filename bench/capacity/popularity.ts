import { SeededRandom } from "../../test/fuzz/random.ts";
import { manyIds } from "../../test/support/many-avatars.ts";
import { round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { Histogram } from "./histogram.ts";
import { ask, exponential, pause } from "./person.ts";
import { belady, replay, type Use } from "./replay.ts";
import { SETTINGS } from "./settings.ts";
import { createWorld } from "./world.ts";
import { zipf } from "./zipf.ts";

const MINUTES = 30;
/** Turns of conversations that begin, all avatars together. */
const TURNS_PER_SECOND = 8;
const FRAMES = 5;
const GPUS = 2;

export interface PopularityCase {
  readonly avatars: number;
  /** Models that memory holds. */
  readonly room: number;
  readonly policy: "lru" | "lfu";
}

export const POPULARITY_CASES: readonly PopularityCase[] = [1200, 10_000].flatMap((avatars) =>
  [100, 400, 800].flatMap((room) =>
    (["lru", "lfu"] as const).map((policy) => ({ avatars, room, policy })),
  ),
);

/** Half an hour of turns with avatars by Zipf popularity, and memory for a part of them. */
export async function benchPopularity(
  cases: readonly PopularityCase[] = POPULARITY_CASES,
  minutes = MINUTES,
): Promise<Rows> {
  const rows: Rows[number][] = [];
  for (const each of cases) rows.push(await simulate(each, minutes));
  return rows;
}

async function simulate({ avatars, room, policy }: PopularityCase, minutes: number) {
  const ids = manyIds(avatars);
  const bytes = (room * SETTINGS.modelBytes) / GPUS + 1;
  const world = await createWorld({
    gpus: GPUS,
    ids,
    config: { capacity: { max_models: room, eviction_policy: policy, max_replicas: 1 } },
    engine: { memoryBudgetBytes: Math.max(bytes * 2, SETTINGS.gpuBytes) },
  });
  const random = new SeededRandom(SETTINGS.seed);
  const draw = zipf(ids, random);
  const trace: Use[] = [];
  const coldStarts = new Histogram();
  let failed = 0;
  const turn = async (id: string) => {
    const { registry } = world.core;
    const started = world.clock.now();
    const wasLoaded = (await registry.status(id)).state === "ready";
    trace.push({ id, atMs: started });
    try {
      let isFirst = true;
      for await (const _ of ask(world, id, 0, FRAMES)) {
        if (isFirst && !wasLoaded) coldStarts.add(world.clock.now() - started);
        isFirst = false;
      }
    } catch {
      failed++;
    }
  };
  const pending = new Set<Promise<void>>();
  const endMs = world.clock.now() + minutes * 60_000;
  const arrivals = async () => {
    while (world.clock.now() < endMs) {
      await pause(world, exponential(random, 1000 / TURNS_PER_SECOND));
      const next = turn(draw()).finally(() => pending.delete(next));
      pending.add(next);
    }
  };
  await world.settle(arrivals());
  await world.settle(Promise.all(pending));
  world.core.registry.close();
  const misses = world.watch.loads.ok;
  const rate = (count: number) => 1 - count / trace.length;
  const reachable = rate(replay(trace, room, policy));
  const evictions = Object.values(world.watch.evictions).reduce((sum, n) => sum + n, 0);
  return {
    avatars,
    room,
    policy,
    turns: trace.length,
    failed,
    "hit rate": round(rate(misses)),
    "replay, same policy": round(reachable),
    "of replay": round(rate(misses) / reachable),
    Belady: round(rate(belady(trace, room))),
    "cold starts/min": round(misses / minutes, 1),
    "evictions/min": round(evictions / minutes, 1),
    "cold start p50 ms": coldStarts.quantile(0.5),
    "p99 ms": coldStarts.quantile(0.99),
  };
}
