import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { compareWorkerd } from "../edge/workerd-and-node.ts";
import type { Rows } from "../rows.ts";
import { speakSynthetically } from "./synthetic.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
const REPEATS = { few: 10, many: 210 };

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
      rows.push({
        mode,
        ...(await compareWorkerd(inWorkerd, inNode, REPEATS)),
      });
    }
    return rows;
  } finally {
    await harness.close();
    await rm(root, { recursive: true, force: true });
  }
}
