import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readDemoSource } from "../../avatar/demo/demo-source.ts";
import { createFolderStaging } from "../../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../../avatar/writer.ts";
import { MOUTHPIECE } from "../../test/support/run-command.ts";
import { writeTinyAvatar } from "../../test/support/tiny-avatar.ts";
import { median, round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { loadHttp } from "./http-load.ts";
import { startServer } from "./server-process.ts";

const ROUNDS = 5;
const LOAD = { connections: 16, ms: 2000 };
const BARE = fileURLToPath(new URL("./bare-server.ts", import.meta.url));

/**
 * Idle frames from the cache, per second, of an edge on Node with its log, its
 * request ids and its checks, beside a bare Hono route that gives the same
 * bytes; in turns. Each server is a process of one thread; client and server
 * share the machine.
 */
export async function benchIdle(): Promise<Rows> {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  try {
    await writeAvatar(readDemoSource(), await createFolderStaging(root, "demo"));
    await writeTinyAvatar(root, "tiny");
    return [await measure(root, "demo"), await measure(root, "tiny")];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function measure(root: string, id: string) {
  const config = join(root, "edge.yaml");
  await writeFile(config, JSON.stringify({ avatars_root: root, server: { port: 0 } }));
  const edge = await startServer([MOUTHPIECE, "edge", "--config", config]);
  try {
    const url = `${edge.url}/v1/avatars/${id}/frames/0.jpg`;
    const image = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const file = join(root, `${id}.jpg`);
    await writeFile(file, image);
    const bare = await startServer([BARE, file]);
    try {
      await loadHttp(url, { ...LOAD, ms: 1000 });
      await loadHttp(`${bare.url}/frame`, { ...LOAD, ms: 1000 });
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let n = 0; n < ROUNDS; n++) {
        ours.push(await loadHttp(url, LOAD));
        theirs.push(await loadHttp(`${bare.url}/frame`, LOAD));
      }
      return {
        avatar: id,
        "KB per frame": round(image.length / 1000, 1),
        "edge, per second": Math.round(median(ours)),
        "bare Hono, per second": Math.round(median(theirs)),
        "edge / bare": round(median(ours.map((rate, n) => rate / theirs[n]!)), 2),
      };
    } finally {
      bare.child.kill("SIGKILL");
    }
  } finally {
    edge.child.kill("SIGKILL");
  }
}
