import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { benchFaults } from "./core/faults.ts";
import { benchCore } from "./core/overhead.ts";
import { benchTenants } from "./core/tenants.ts";
import { benchZipf } from "./core/zipf.ts";
import { benchLru } from "./lru.ts";
import { benchPath } from "./path.ts";
import { plotFrameCost } from "./plot.ts";
import type { Rows } from "./rows.ts";
import { benchJpeg, benchPng } from "./splice.ts";

const TOPICS: Readonly<Record<string, () => Promise<Rows>>> = {
  path: benchPath,
  png: benchPng,
  jpeg: benchJpeg,
  lru: benchLru,
  core: benchCore,
  tenants: benchTenants,
  zipf: benchZipf,
  faults: benchFaults,
};

const { values, positionals } = parseArgs({
  options: { json: { type: "string" }, plot: { type: "string" } },
  allowPositionals: true,
});
const topics = positionals.length > 0 ? positionals : Object.keys(TOPICS);
const unknown = topics.filter((topic) => !(topic in TOPICS));
if (unknown.length > 0) {
  console.error(`unknown topic ${unknown.join(", ")}: there are ${Object.keys(TOPICS).join(", ")}`);
  process.exit(2);
}
const machine = { node: process.version, cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length };
console.log(`Node ${machine.node}, ${machine.cores} x ${machine.cpu}`);
const results: Record<string, Rows> = {};
for (const topic of topics) {
  const rows = await TOPICS[topic]!();
  console.log(`\n${topic}`);
  console.table(rows);
  results[topic] = rows;
}
if (values.json !== undefined) {
  await writeFile(values.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}
if (values.plot !== undefined) {
  await writeFile(values.plot, plotFrameCost(results, `${machine.cpu}, Node ${machine.node}`));
}
