import { spawn } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readAvatar } from "../avatar/catalogue.ts";
import { DEMO_ID } from "../avatar/demo/demo-source.ts";
import type { Logger } from "../avatar/logger.ts";
import { findTrack } from "../avatar/manifest.ts";
import { createFolderStore } from "../avatar/runtime/folder-store.ts";

/** Long enough for the slowest machine; one that is stuck ends. */
const LIMIT_MS = 30 * 60_000;
const VERSION = /^[0-9a-f]{32}$/;

export interface DemoVideo {
  /** Gives it up; the next start goes on where it was. */
  stop(): void;
}

/** The arguments of the command that codes it. */
export function demoVideoArguments(root: string): string[] {
  return ["publish", DEMO_ID, "--root", root, "--to", root, "--formats", "h264", "--json"];
}

/**
 * Codes the demo avatar's video while it is being served, in a process that
 * leaves the machine to everybody else: under a minute of two cores. Until it
 * is there, pages show pictures.
 */
export async function startDemoVideo(root: string, logger: Logger): Promise<DemoVideo> {
  const { manifest, summary } = await readAvatar(createFolderStore(root), DEMO_ID);
  await removeOtherVersions(root, summary.version);
  const isEven = manifest.width % 2 === 0 && manifest.height % 2 === 0;
  if (!isEven || findTrack(manifest, "h264") || !manifest.frames) return { stop() {} };
  const bin = fileURLToPath(new URL("./bin.js", import.meta.url));
  const child = spawn(process.execPath, [bin, ...demoVideoArguments(root)], {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: LIMIT_MS,
  });
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  let last = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    last = text.trim().split("\n").at(-1) ?? last;
  });
  let isStopped = false;
  child.on("error", (error) =>
    logger.warn("no video of the demo avatar", { error: String(error) }),
  );
  child.on("exit", (status) => {
    if (isStopped) return;
    if (status === 0) logger.info("the demo avatar has video now", {});
    else logger.warn("no video of the demo avatar", { status, error: last });
  });
  return {
    stop() {
      isStopped = true;
      child.kill();
    },
  };
}

/** What a publish has replaced, and nobody reads any more: this is a start. */
async function removeOtherVersions(root: string, version: string): Promise<void> {
  const folder = join(root, "avatars", DEMO_ID);
  const entries = await readdir(folder, { withFileTypes: true });
  const isOther = (name: string) => VERSION.test(name) && name !== version;
  const others = entries.filter((entry) => entry.isDirectory() && isOther(entry.name));
  for (const { name } of others) await rm(join(folder, name), { recursive: true });
}
