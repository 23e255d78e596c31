import { SeededRandom } from "../../test/fuzz/random.ts";
import { manyIds } from "../../test/support/many-avatars.ts";
import { round } from "../compare.ts";
import type { Series } from "../line-chart.ts";
import type { Rows } from "../rows.ts";
import { Audience, converse } from "./person.ts";
import { SETTINGS } from "./settings.ts";
import { createWorld } from "./world.ts";
import { zipf } from "./zipf.ts";

const GPUS = 8;
const PEOPLE = 480;
const WARM_UP_MS = 120_000;
const STEP_MS = 1000;
const AFTER_STEPS = 60;
const BEFORE_STEPS = 20;
/** Back to normal: the share of late frames is below this again, and stays. */
const NORMAL_LATE = 0.02;

export interface LostGpu {
  readonly rows: Rows;
  /** Share of late frames in percent per second around the loss. */
  readonly series: readonly Series[];
}

/** One of eight GPUs is lost under 480 people: for two seconds, or for good. */
export async function benchLostGpu(): Promise<LostGpu> {
  const restarted = await simulate(false);
  const gone = await simulate(true);
  return {
    rows: [restarted.row, gone.row],
    series: [
      { name: "starts again after 2 s", points: restarted.points },
      { name: "gone for good", points: gone.points },
    ],
  };
}

async function simulate(isForGood: boolean) {
  const ids = manyIds(SETTINGS.avatars);
  const world = await createWorld({ gpus: GPUS, ids });
  const draw = zipf(ids, new SeededRandom(SETTINGS.seed));
  const chosen = Array.from({ length: PEOPLE }, draw);
  const distinct = [...new Set(chosen)];
  await world.settle(Promise.all(distinct.map((id) => world.core.registry.load(id, false))));
  const audience = new Audience();
  let isOver = false;
  const conversations = chosen.map((id, n) =>
    converse(world, id, new SeededRandom(SETTINGS.seed + n), audience, () => isOver),
  );
  await world.clock.advanceBy(WARM_UP_MS);
  const points: [number, number][] = [];
  const step = async (second: number) => {
    audience.reset();
    await world.clock.advanceBy(STEP_MS);
    points.push([second, (100 * audience.lateFrames) / Math.max(1, audience.frames)]);
  };
  for (let second = -BEFORE_STEPS; second < 0; second++) await step(second);
  const lostModels = world.core.registry.usage(0).replicas;
  const [loads, retries] = [world.watch.loads.ok, world.watch.retries];
  world.devices[0]!.kill(isForGood);
  for (let second = 0; second < AFTER_STEPS; second++) await step(second);
  isOver = true;
  await world.settle(Promise.all(conversations));
  world.core.registry.close();
  const lastBad = points.findLast(([second, late]) => second >= 0 && late / 100 > NORMAL_LATE);
  return {
    points,
    row: {
      GPU: isForGood ? "gone for good" : "starts again after 2 s",
      people: PEOPLE,
      "copies lost": lostModels,
      "loads after it": world.watch.loads.ok - loads,
      "requests that went on elsewhere": world.watch.retries - retries,
      "turns failed": audience.failedTurns,
      "worst second, late frames": `${round(Math.max(...points.map(([, late]) => late)), 1)} %`,
      "back to normal after s": lastBad ? lastBad[0] + 1 : 0,
    },
  };
}
