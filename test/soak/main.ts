import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { silentLogger } from "../../avatar/logger.ts";
import { zipf } from "../../bench/capacity/zipf.ts";
import { residentBytes } from "../../bench/core/process-memory.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { type RunningCore, startCore } from "../../gpu-core/main.ts";
import { SeededRandom } from "../fuzz/random.ts";
import { connectCaller } from "../support/core-caller.ts";
import { manyIds, writeManyAvatars } from "../support/many-avatars.ts";
import { temporaryFolder, writeTinyAvatar } from "../support/tiny-avatar.ts";
import { pickOperation, UTTERANCE_FRAMES } from "./operations.ts";

/**
 * A core under everything at once for an hour (`--minutes`): clients that
 * speak, leave, read slowly, reload and make mistakes, models that come and
 * go, a model that is damaged, one that hangs, and devices that are killed.
 * What arrives must be right, refusals must be those that may happen, memory
 * must stay flat, and nothing may be left over. `--seed` chooses what is done;
 * the interleaving is the machine's.
 */
const AVATARS = 40;
const ROOM = 12;
const CLIENTS = 8;
const DEVICES = 2;
const BROKEN_ID = "broken";
const HANGING_ID = "avatar-0007";
const KILL_EVERY_MS = 20_000;
const SAMPLE_EVERY_MS = 1000;
const REPORT_EVERY_MS = 60_000;
/** Refusals that a healthy run stays below. */
const MAX_REFUSED_SHARE = 0.05;
const MEMORY_GROWTH = { factor: 1.15, bytes: 64 * 1024 ** 2 };

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "60" }, seed: { type: "string", default: "1" } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  print("usage: npm run soak -- [--minutes N] [--seed N]");
  process.exit(2);
}

const ends: (() => Promise<void>)[] = [];
const problems: string[] = [];
try {
  await soak();
} finally {
  for (const end of ends.reverse()) await end();
}
if (problems.length > 0) {
  print(`${problems.length} problems:\n${problems.slice(0, 20).join("\n")}`);
  process.exit(1);
}

async function soak(): Promise<void> {
  const root = await temporaryFolder({ after: (end) => ends.push(end) });
  const ids = manyIds(AVATARS);
  await writeManyAvatars(root, ids);
  const version = await writeTinyAvatar(root, BROKEN_ID);
  await writeFile(join(root, "avatars", BROKEN_ID, version, "model.onnx"), "not a model");
  const config = {
    models_root: root,
    server: { port: 0, queue_size: 20 },
    gpus: { count: DEVICES, cpu_threads_per_worker: 1 },
    capacity: { max_models: ROOM, eviction_policy: "lfu" },
    supervision: { run_timeout_s: 4, max_restarts: 10_000 },
    faults: [{ point: "model.run", action: "hang", model: HANGING_ID, process: 1, skip: 20 }],
  };
  const running = await startCore(parseCoreConfig(config, "soak"), silentLogger);
  let isRunning = true;
  ends.push(async () => {
    if (isRunning) await running.stop();
  });
  const expected = await wholeUtterance(running, ids[0]!);

  const counts = { ok: 0, refused: 0, wrong: 0, kills: 0 };
  const byName = new Map<string, number>();
  const memory: number[] = [];
  const endMs = performance.now() + minutes * 60_000;
  const isOver = () => performance.now() >= endMs;

  const client = async (n: number) => {
    const caller = connectCaller(running.url);
    const random = new SeededRandom(seed * 1000 + n);
    const draw = zipf(ids, random);
    while (!isOver()) {
      const operation = pickOperation(random);
      const context = { caller, random, draw, expected, brokenId: BROKEN_ID };
      const outcome = await operation.run(context);
      byName.set(operation.name, (byName.get(operation.name) ?? 0) + 1);
      if (outcome === "ok") counts.ok++;
      else if ("refused" in outcome) {
        counts.refused++;
        // As a client does that is told to try again.
        await sleep(50 + random.below(100));
      } else {
        counts.wrong++;
        problems.push(`${operation.name}: ${outcome.wrong}`);
      }
    }
    caller.close();
  };
  const killer = async () => {
    const random = new SeededRandom(seed);
    while (!isOver()) {
      await sleep(KILL_EVERY_MS);
      const device = running.core.engine.devices[random.below(DEVICES)];
      if (device?.state !== "ready" || device.pid === undefined) continue;
      process.kill(device.pid, "SIGKILL");
      counts.kills++;
    }
  };
  const watcher = async () => {
    let reportMs = performance.now() + REPORT_EVERY_MS;
    while (!isOver()) {
      await sleep(SAMPLE_EVERY_MS);
      memory.push(residentBytes([process.pid, ...pidsOf(running)]));
      if (performance.now() < reportMs) continue;
      reportMs += REPORT_EVERY_MS;
      report();
    }
  };
  const report = () => {
    const megabytes = Math.round((memory.at(-1) ?? 0) / 1024 ** 2);
    const { ok, refused, wrong, kills } = counts;
    print(`${ok} ok, ${refused} refused, ${wrong} wrong, ${kills} kills, ${megabytes} MB`);
  };
  await Promise.all([...Array.from({ length: CLIENTS }, (_, n) => client(n)), killer(), watcher()]);

  report();
  print([...byName].map(([name, count]) => `${name} ${count}`).join(", "));
  if (counts.refused > MAX_REFUSED_SHARE * (counts.ok + counts.refused)) {
    problems.push(`${counts.refused} requests were refused, of ${counts.ok + counts.refused}`);
  }
  checkMemory(memory);
  await checkNothingLeft(running, [...ids, BROKEN_ID]);
  const pids = pidsOf(running);
  isRunning = false;
  await running.stop();
  for (const pid of pids) if (isAlive(pid)) problems.push(`process ${pid} outlived the core`);
  print(`soak: ${minutes} min, seed ${seed}, ${problems.length} problems`);
}

async function wholeUtterance(running: RunningCore, id: string): Promise<readonly number[]> {
  const caller = connectCaller(running.url);
  const { checksums, error } = await caller.speak(id, UTTERANCE_FRAMES);
  caller.close();
  if (error) throw error;
  return checksums;
}

/** The last quarter against the second: by then every model was loaded and evicted many times. */
function checkMemory(samples: readonly number[]): void {
  const quarter = Math.floor(samples.length / 4);
  const medianOf = (from: number) =>
    samples.slice(from, from + quarter).toSorted((a, b) => a - b)[Math.floor(quarter / 2)] ?? 0;
  const [before, after] = [medianOf(quarter), medianOf(3 * quarter)];
  if (after <= before * MEMORY_GROWTH.factor + MEMORY_GROWTH.bytes) return;
  const megabytes = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MB`;
  problems.push(`memory grew from ${megabytes(before)} to ${megabytes(after)}`);
}

async function checkNothingLeft({ core }: RunningCore, ids: readonly string[]): Promise<void> {
  for (let i = 0; i < 100 && core.engine.devices.some(({ state }) => state !== "ready"); i++) {
    await sleep(100);
  }
  for (const { index } of core.engine.devices) {
    const queued = core.queuedOn(index);
    if (queued !== 0) problems.push(`device ${index} still has ${queued} requests`);
  }
  for (const id of ids) core.registry.unload(id);
  for (const { index } of core.engine.devices) {
    const { replicas, memoryBytes } = core.registry.usage(index);
    if (replicas + memoryBytes === 0) continue;
    problems.push(`device ${index} still has ${replicas} models, ${memoryBytes} bytes`);
  }
}

function pidsOf({ core }: RunningCore): number[] {
  return core.engine.devices.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
