import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lineChart } from "../line-chart.ts";
import type { Rows, Tables } from "../rows.ts";
import { benchLostGpu, type LostGpu } from "./lost-gpu.ts";
import { benchNoisyTenant } from "./noisy-tenant.ts";
import { benchPeopleServed } from "./people-served.ts";
import { benchPopularity } from "./popularity.ts";

const GPUS = [1, 2, 3, 4, 6, 8];
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
  if (plotFolder !== null) await writePlots(plotFolder, people, popularity, tenant, lost);
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
  tenant: Rows,
  lost: LostGpu,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const write = (name: string, chart: Parameters<typeof lineChart>[0]) =>
    writeFile(join(folder, `capacity-${name}.svg`), lineChart(chart));
  const at = (rows: Rows, x: string, y: string) =>
    rows.map((row) => [Number(row[x]), Number(row[y])] as const);
  await write("people", {
    title: "People served with queueing under 100 ms (p99)",
    note: `${NOTE} Median of three crowds.`,
    xLabel: "GPUs",
    yLabel: "people",
    series: [
      { name: "published: 710 for 8", points: at(people, "GPUs", "published people") },
      { name: "mouthpiece", points: at(people, "GPUs", "people") },
    ],
  });
  await write("frames", {
    title: "Frames a second while those people are served",
    note: `${NOTE} Median of three crowds.`,
    xLabel: "GPUs",
    yLabel: "frames/s",
    series: [
      { name: "published: 4,800 for 8", points: at(people, "GPUs", "published frames/s") },
      { name: "mouthpiece", points: at(people, "GPUs", "frames/s") },
    ],
  });
  await write("noisy-tenant", {
    title: "One of 20 tenants asks for more than his share",
    note: "Simulated: one GPU of 4 workers, half of it taken; requests of 8 frames, until the last.",
    xLabel: "times his share",
    yLabel: "the others wait, ms",
    xScale: "log",
    isDotted: true,
    series: [
      { name: "p99", points: at(tenant, "he asks for", "p99 ms") },
      { name: "p50", points: at(tenant, "he asks for", "p50 ms") },
    ],
  });
  const hitRates = [1200, 10_000].flatMap((avatars) => {
    const rows = (policy: string) =>
      popularity.filter((row) => row.avatars === avatars && row.policy === policy);
    return [
      { name: `${avatars}, Belady`, points: at(rows("lfu"), "room", "Belady") },
      { name: `${avatars}, lfu`, points: at(rows("lfu"), "room", "hit rate") },
      { name: `${avatars}, lru`, points: at(rows("lru"), "room", "hit rate") },
    ];
  });
  await write("hit-rate", {
    title: "Turns that find their model in memory (Zipf popularity)",
    note: NOTE,
    xLabel: "models that memory holds",
    yLabel: "hit rate",
    series: hitRates,
  });
  const coldStarts = [1200, 10_000].flatMap((avatars) =>
    ["lru", "lfu"].map((policy) => ({
      name: `${avatars}, ${policy}`,
      points: at(
        popularity.filter((row) => row.avatars === avatars && row.policy === policy),
        "room",
        "cold starts/min",
      ),
    })),
  );
  await write("cold-starts", {
    title: "Turns that wait for a load of 0.6 s, of 480 turns a minute",
    note: NOTE,
    xLabel: "models that memory holds",
    yLabel: "cold starts a minute",
    series: coldStarts,
  });
  await write("lost-gpu", {
    title: "One of eight GPUs is lost at 0 s, under 480 people",
    note: NOTE,
    xLabel: "seconds",
    yLabel: "late frames, %",
    series: lost.series,
  });
}
