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
  const folders: string[] = [];
  const folder = async () => {
    const path = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
    folders.push(path);
    return path;
  };
  try {
    const imported = await folder();
    await writeBenchAvatars(imported);
    const publish = async (mode: string) => {
      const root = await folder();
      const args = ["publish", "demo", "--root", imported, "--to", root, "--json"];
      const status = await main([...args, "--formats", "jpeg,h264", "--video-mode", mode]);
      if (status !== 0) throw new Error(`publishing ended with ${status}`);
      return root;
    };
    const [band, box] = [await publish("band"), await publish("box")];
    return {
      "live sessions, band": await benchLiveCost(band),
      "live sessions, box": await benchLiveCost(box),
      "live latency": await benchLiveLatency(band),
      "live sessions per core": await benchSessionsPerCore({ band, box }),
    };
  } finally {
    for (const path of folders) await rm(path, { recursive: true, force: true });
  }
}
