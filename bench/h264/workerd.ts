import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { median, round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { speakSynthetically } from "./synthetic.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
const ROUNDS = 7;
const FEW = 10;
const MANY = 210;

/** What a live frame costs inside workerd, beside Node: many and few frames in one request, in turns. */
export async function benchH264Workerd(): Promise<Rows> {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  const harness = createTestHarness({
    root,
    workers: [{ config: { name: "h264", main: WORKER, compatibility_date: "2026-01-01" } }],
  });
  try {
    const { url } = await harness.listen();
    const rows: Record<string, string | number>[] = [];
    for (const mode of ["band", "box"] as const) {
      const speak = await speakSynthetically(mode);
      const inWorkerd = async (frames: number) => {
        const response = await fetch(new URL(`?mode=${mode}&frames=${frames}`, url));
        const text = await response.text();
        if (!response.ok) throw new Error(text);
      };
      const inNode = async (frames: number) => {
        speak(frames);
      };
      await inWorkerd(MANY);
      await inNode(MANY);
      const workerd: number[] = [];
      const node: number[] = [];
      for (let n = 0; n < ROUNDS; n++) {
        workerd.push(await perFrame(inWorkerd));
        node.push(await perFrame(inNode));
      }
      rows.push({
        mode,
        "ms, workerd": round(median(workerd)),
        "ms, Node": round(median(node)),
        "workerd / Node": round(median(workerd.map((ms, n) => ms / node[n]!)), 2),
      });
    }
    return rows;
  } finally {
    await harness.close();
    await rm(root, { recursive: true, force: true });
  }
}

async function perFrame(run: (frames: number) => Promise<void>): Promise<number> {
  const timed = async (frames: number) => {
    const started = performance.now();
    await run(frames);
    return performance.now() - started;
  };
  return ((await timed(MANY)) - (await timed(FEW))) / (MANY - FEW);
}
