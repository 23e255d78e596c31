import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../cli/main.ts";
import { writeBenchAvatars } from "../models/bench-avatars.ts";
import type { Tables } from "../rows.ts";
import { benchLiveCost } from "./live-cost.ts";
import { benchLiveLatency } from "./live-latency.ts";
import { benchSessionsPerCore } from "./live-sessions-per-core.ts";

/** Live sessions of the demo avatar: what they cost, and how soon they speak and are silent. */
export async function benchLive(): Promise<Tables> {
  const imported = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  try {
    await writeBenchAvatars(imported);
    const args = ["publish", "demo", "--root", imported, "--to", root, "--json"];
    const status = await main([...args, "--formats", "jpeg,h264"]);
    if (status !== 0) throw new Error(`publishing ended with ${status}`);
    return {
      "live sessions": await benchLiveCost(root),
      "live latency": await benchLiveLatency(root),
      "live sessions per core": await benchSessionsPerCore(root),
    };
  } finally {
    for (const folder of [imported, root]) await rm(folder, { recursive: true, force: true });
  }
}
