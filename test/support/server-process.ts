import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { readyUrl } from "./ready-url.ts";
import { MOUTHPIECE } from "./run-command.ts";
import { temporaryFolder, writeTinyAvatar } from "./tiny-avatar.ts";

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly root: string;
  /** Its address, when it says that it is ready. */
  readonly ready: Promise<string>;
  /** Its exit status. */
  readonly ended: Promise<number | null>;
  /** The lines of its log until now. */
  readonly log: readonly string[];
  /** Writes its configuration again, with `change` on top. */
  configure(change?: object): Promise<void>;
}

/** `mouthpiece core` or `serve` as a process of its own, which ends with the test. */
export async function spawnServer(
  t: { after(end: () => Promise<void>): void },
  command: "core" | "serve",
  settings: (root: string) => object,
): Promise<ServerProcess> {
  const root = await temporaryFolder(t);
  // Of this name, since `serve` draws the demo avatar where there is none.
  await writeTinyAvatar(root, command === "serve" ? "demo" : "ada");
  const path = join(root, "config.yaml");
  const configure = (change: object = {}) =>
    writeFile(path, JSON.stringify({ ...settings(root), ...change }));
  await configure();
  const child = spawn(process.execPath, [MOUTHPIECE, command, "--config", path], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, MOUTHPIECE_DATA: root },
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const log: string[] = [];
  createInterface(child.stderr).on("line", (line) => log.push(line));
  const ready = readyUrl(child, () => log.join("\n"));
  ready.catch(() => {});
  return { child, root, ready, ended, log, configure };
}

/** Looks every 20 ms, for 10 s. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("it did not happen in time");
}
