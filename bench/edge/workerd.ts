import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { type Delivery, prepareFrame } from "../../edge/compositor/delivery.ts";
import { readPreparedFrame, Splicer } from "../../edge/compositor/splicer.ts";
import { readMaterials, scaled, toRgba } from "../material.ts";
import type { Rows } from "../rows.ts";
import { compareWorkerd } from "./workerd-and-node.ts";

const WORKER = fileURLToPath(new URL("./splice-worker.ts", import.meta.url));
const REPEATS = { few: 10, many: 510 };
const DELIVERIES: readonly Delivery[] = [
  { format: "png", softEdge: 0 },
  { format: "jpeg", softEdge: 0, quality: 85, subsampling: "4:2:0" },
];

/**
 * What a spliced frame costs inside workerd, beside Node: the same frame many and
 * few times in one request, so that the request itself drops out; in turns.
 */
export async function benchWorkerd(): Promise<Rows> {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  const harness = createTestHarness({
    root,
    workers: [{ config: { name: "splice", main: WORKER, compatibility_date: "2026-01-01" } }],
  });
  try {
    const { url } = await harness.listen();
    const [material] = await readMaterials();
    const { background, region, mouth, name } = await scaled(material!, 1280, 720);
    const splicer = new Splicer();
    const rows: Record<string, string | number>[] = [];
    for (const delivery of DELIVERIES) {
      const entry = prepareFrame(toRgba(background), region, delivery);
      const frame = readPreparedFrame(entry);
      const body = new Uint8Array(Buffer.concat([entry, mouth]));
      const inWorkerd = async (times: number) => {
        const query = `?entry=${entry.length}&times=${times}`;
        const response = await fetch(new URL(query, url), { method: "POST", body });
        if (!response.ok) throw new Error(await response.text());
        await response.text();
      };
      const inNode = async (times: number) => {
        for (let n = 0; n < times; n++) splicer.splice(frame, mouth);
      };
      rows.push({
        frame: name,
        format: delivery.format,
        ...(await compareWorkerd(inWorkerd, inNode, REPEATS)),
      });
    }
    return rows;
  } finally {
    await harness.close();
    await rm(root, { recursive: true, force: true });
  }
}
