import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchCapacity } from "./capacity/main.ts";
import { benchFaults } from "./core/faults.ts";
import { benchCore } from "./core/overhead.ts";
import { benchTenants } from "./core/tenants.ts";
import { benchZipf } from "./core/zipf.ts";
import { benchFirstFrame } from "./edge/first-frame.ts";
import { benchIdle } from "./edge/idle.ts";
import { benchLive } from "./edge/live.ts";
import { benchLiveLink } from "./edge/live-link/main.ts";
import { benchLiveProof } from "./edge/live-proof/main.ts";
import { benchLostCore } from "./edge/lost-core.ts";
import { benchWorkerMemory } from "./edge/worker-memory.ts";
import { benchWorkerd } from "./edge/workerd.ts";
import { benchH264 } from "./h264/main.ts";
import { benchWholeFrames } from "./h264/whole.ts";
import { benchH264Workerd } from "./h264/workerd.ts";
import { benchLru } from "./lru.ts";
import { benchPath } from "./path.ts";
import { plotFrameCost } from "./plot.ts";
import type { Rows, Tables } from "./rows.ts";
import { benchJpeg, benchPng } from "./splice.ts";

/** @param plot where pictures go; null for none */
type Topic = (plot: string | null) => Promise<Rows | Tables>;

const TOPICS: Readonly<Record<string, Topic>> = {
  path: benchPath,
  png: benchPng,
  jpeg: benchJpeg,
  h264: benchH264,
  "h264-workerd": benchH264Workerd,
  "whole-frames": benchWholeFrames,
  lru: benchLru,
  core: benchCore,
  tenants: benchTenants,
  zipf: benchZipf,
  faults: benchFaults,
  capacity: benchCapacity,
  idle: benchIdle,
  workerd: benchWorkerd,
  "worker-memory": benchWorkerMemory,
  "first-frame": benchFirstFrame,
  "lost-core": benchLostCore,
  live: benchLive,
  "live-proof": benchLiveProof,
  "live-link": benchLiveLink,
};

const { values, positionals } = parseArgs({
  options: { json: { type: "string" }, plot: { type: "string" } },
  allowPositionals: true,
});
/** Ask for what `npm ci` does not install: a package, Chromium, root. */
const ON_REQUEST = ["whole-frames", "live-proof", "live-link"];
const all = Object.keys(TOPICS).filter((topic) => !ON_REQUEST.includes(topic));
const topics = positionals.length > 0 ? positionals : all;
const unknown = topics.filter((topic) => !(topic in TOPICS));
if (unknown.length > 0) {
  console.error(`unknown topic ${unknown.join(", ")}: there are ${Object.keys(TOPICS).join(", ")}`);
  process.exit(2);
}
const machine = { node: process.version, cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length };
console.log(`Node ${machine.node}, ${machine.cores} x ${machine.cpu}`);
const results: Record<string, Rows> = {};
for (const topic of topics) {
  const found = await TOPICS[topic]!(values.plot ?? null);
  const tables: Tables = isRows(found) ? { [topic]: found } : found;
  for (const [name, rows] of Object.entries(tables)) {
    console.log(`\n${name}`);
    console.table(rows);
    results[name] = rows;
  }
}
if (values.json !== undefined) {
  await writeFile(values.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}
if (values.plot !== undefined && "png" in results) {
  await mkdir(values.plot, { recursive: true });
  const picture = plotFrameCost(results, `${machine.cpu}, Node ${machine.node}`);
  await writeFile(join(values.plot, "frame-cost.svg"), picture);
}

function isRows(found: Rows | Tables): found is Rows {
  return Array.isArray(found);
}
