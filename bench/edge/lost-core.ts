import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MOUTHPIECE } from "../../test/support/run-command.ts";
import { type LinkState, startShakyLink } from "../../test/support/shaky-link.ts";
import { tone, wavFile, writeTinyAvatar } from "../../test/support/tiny-avatar.ts";
import { round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

const CORES = 3;
const AVATARS = 12;
/** People who are spoken to one utterance after the other. */
const CALLERS = 6;
const BEFORE_MS = 8000;
const AFTER_MS = 12_000;
/** Over so long a p99 is taken; a new one is begun this often. */
const WINDOW_MS = 1000;
const STEP_MS = 250;
/** What a batch of the model takes. */
const MODEL_MS = 10;
/** Back to normal: within so much of the worst window before. */
const NORMAL = 1.25;
const WAV = wavFile(tone(3200));

type Trouble = "killed" | "slow (10x)" | "partitioned";

interface Utterance {
  readonly startedMs: number;
  readonly firstFrameMs: number;
  readonly failed: string | null;
}

/**
 * Three cores behind an edge on Node, people spoken to all the time, and then one
 * core is killed, becomes ten times slower, or cannot be reached any more while
 * its connections stay open. Times are to the first frame of an utterance.
 */
export async function benchLostCore(): Promise<Rows> {
  const rows: Record<string, string | number>[] = [];
  for (const trouble of ["killed", "slow (10x)", "partitioned"] as const) {
    rows.push(await measure(trouble));
  }
  return rows;
}

async function measure(trouble: Trouble) {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  const cores: ServerProcess[] = [];
  const links: Awaited<ReturnType<typeof startShakyLink>>[] = [];
  try {
    for (let n = 0; n < AVATARS; n++) await writeTinyAvatar(root, `a${n}`);
    for (let n = 0; n < CORES; n++) {
      const config = join(root, `core-${n}.yaml`);
      const faults = [{ point: "model.run", action: "delay", delay_ms: MODEL_MS, count: 0 }];
      const gpus = { cpu_threads_per_worker: 1 };
      const settings = { models_root: root, server: { port: 0 }, gpus, faults, log_level: "error" };
      await writeFile(config, JSON.stringify(settings));
      const core = await startServer([MOUTHPIECE, "core", "--config", config]);
      cores.push(core);
      links.push(await startShakyLink(core.url));
    }
    const config = join(root, "edge.yaml");
    const settings = {
      avatars_root: root,
      server: { port: 0 },
      core: { cores: links.map(({ url }) => ({ url })) },
      log_level: "error",
    };
    await writeFile(config, JSON.stringify(settings));
    const edge = await startServer([MOUTHPIECE, "edge", "--config", config]);
    cores.push(edge);
    return await run(edge.url, trouble, () => {
      if (trouble === "killed") cores[0]!.child.kill("SIGKILL");
      else links[0]!.set(stateOf(trouble));
    });
  } finally {
    for (const link of links) await link.close();
    for (const { child } of cores) child.kill("SIGKILL");
    await rm(root, { recursive: true, force: true });
  }
}

function stateOf(trouble: Trouble): LinkState {
  return trouble === "slow (10x)" ? { kind: "slow", delayMs: 10 * MODEL_MS } : { kind: "silent" };
}

async function run(url: string, trouble: Trouble, strike: () => void) {
  // Every avatar is warm where it belongs.
  for (let n = 0; n < AVATARS; n++) await speak(url, n);
  const spoken: Utterance[] = [];
  const started = performance.now();
  const endMs = started + BEFORE_MS + AFTER_MS;
  const callers = Array.from({ length: CALLERS }, async (_, n) => {
    while (performance.now() < endMs) spoken.push(await speak(url, n % AVATARS));
  });
  await new Promise((resolve) => setTimeout(resolve, BEFORE_MS));
  const struckMs = performance.now();
  strike();
  await Promise.all(callers);
  const settled = started + BEFORE_MS / 4;
  const before = windows(spoken, settled, struckMs);
  const usual = Math.max(...before);
  const after = windows(spoken, struckMs, endMs - WINDOW_MS);
  const lastBad = after.findLastIndex((p99) => p99 > NORMAL * usual);
  const failed = spoken.filter(({ failed: why }) => why !== null);
  return {
    "one of three is": trouble,
    utterances: spoken.length,
    failed: failed.length,
    "p99 before, ms": round(usual, 0),
    "p99 at worst, ms": round(Math.max(...after), 0),
    "p99 after, ms": round(Math.max(...after.slice(-8)), 0),
    "normal again after, s": round(((lastBad + 1) * STEP_MS) / 1000, 2),
  };
}

/** The p99 of what began in each window. A failure counts as endless. */
function windows(spoken: readonly Utterance[], fromMs: number, toMs: number): number[] {
  const result: number[] = [];
  for (let at = fromMs; at + WINDOW_MS <= toMs; at += STEP_MS) {
    const times = spoken
      .filter(({ startedMs }) => startedMs >= at && startedMs < at + WINDOW_MS)
      .map(({ firstFrameMs, failed }) => (failed === null ? firstFrameMs : Infinity))
      .sort((a, b) => a - b);
    if (times.length > 0) result.push(times[Math.ceil(0.99 * times.length) - 1]!);
  }
  return result;
}

async function speak(url: string, avatar: number): Promise<Utterance> {
  const startedMs = performance.now();
  try {
    const response = await fetch(`${url}/v1/avatars/a${avatar}/speak?format=jpeg`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: WAV,
    });
    if (!response.ok || !response.body) throw new Error(await response.text());
    let firstFrameMs = 0;
    let last = "";
    for await (const chunk of response.body) {
      if (firstFrameMs === 0) firstFrameMs = performance.now() - startedMs;
      last = Buffer.from(chunk).toString("latin1");
    }
    const failed = last.includes("application/problem+json") ? last : null;
    return { startedMs, firstFrameMs, failed };
  } catch (error) {
    return { startedMs, firstFrameMs: 0, failed: String(error) };
  }
}
