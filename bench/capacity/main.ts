import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lineChart } from "../line-chart.ts";
import type { Rows, Tables } from "../rows.ts";
import { benchLostGpu, type LostGpu } from "./lost-gpu.ts";
import { benchNoisyTenant } from "./noisy-tenant.ts";
import { benchPeopleServed } from "./people-served.ts";
import { benchPopularity } from "./popularity.ts";

const GPUS = [1, 2, 3, 4, 5, 6, 7, 8];
const NOTE = "Simulated: the real scheduler and registry, 4 workers per GPU at 150 frames/s each.";

/**
 * The capacity simulator: the real core on devices and a clock that are
 * simulated. The same seed gives the same tables, on any machine.
 * @param plotFolder where pictures are written; null for none
 */
export async function benchCapacity(plotFolder: string | null): Promise<Tables> {
  const people = await benchPeopleServed(GPUS);
  const popularity = await benchPopularity();
  const tenant = await benchNoisyTenant();
  const lost = await benchLostGpu();
  if (plotFolder !== null) await writePlots(plotFolder, people, popularity, lost);
  return {
    "people served": people,
    popularity,
    "a noisy tenant": tenant,
    "a lost GPU": lost.rows,
  };
}

async function writePlots(
  folder: string,
  people: Rows,
  popularity: Rows,
  lost: LostGpu,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const at = (rows: Rows, x: string, y: string) =>
    rows.map((row) => [Number(row[x]), Number(row[y])] as const);
  await writeFile(
    join(folder, "capacity-people.svg"),
    lineChart({
      title: "People served with queueing under 100 ms (p99)",
      note: NOTE,
      xLabel: "GPUs",
      yLabel: "people",
      series: [
        { name: "published (no headroom)", points: at(people, "GPUs", "published people") },
        { name: "mouthpiece", points: at(people, "GPUs", "people") },
      ],
    }),
  );
  const hitRates = [1200, 10_000].flatMap((avatars) => {
    const rows = (policy: string) =>
      popularity.filter((row) => row.avatars === avatars && row.policy === policy);
    return [
      { name: `${avatars}, Belady`, points: at(rows("lfu"), "room", "Belady") },
      { name: `${avatars}, lfu`, points: at(rows("lfu"), "room", "hit rate") },
      { name: `${avatars}, lru`, points: at(rows("lru"), "room", "hit rate") },
    ];
  });
  await writeFile(
    join(folder, "capacity-hit-rate.svg"),
    lineChart({
      title: "Turns that find their model in memory (Zipf popularity)",
      note: NOTE,
      xLabel: "models that memory holds",
      yLabel: "hit rate",
      series: hitRates,
    }),
  );
  await writeFile(
    join(folder, "capacity-lost-gpu.svg"),
    lineChart({
      title: "One of eight GPUs is lost at 0 s, under 480 people",
      note: NOTE,
      xLabel: "seconds",
      yLabel: "late frames, %",
      series: lost.series,
    }),
  );
}
