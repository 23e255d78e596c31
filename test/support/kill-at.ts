import { writeFileSync } from "node:fs";
import * as fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded with `--import`: kills the process at its n-th step, n in `KILL_AT`.
 * A step is a request or a renaming, which is all that others can see of a
 * publish; each counts twice, before and after it. Without `KILL_AT` the steps
 * are written to the file `STEPS_FILE` at the end, a line each.
 */
if (isMainThread) {
  const killAt = Number(process.env.KILL_AT ?? Number.POSITIVE_INFINITY);
  const steps: string[] = [];
  const step = (name: string): void => {
    steps.push(name);
    if (steps.length === killAt) process.kill(process.pid, "SIGKILL");
  };

  const plainFetch = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const { pathname, search } = new URL(request.url);
    const name = `${request.method} ${pathname}${search}`;
    step(`before ${name}`);
    const response = await plainFetch(request);
    step(`after ${name}`);
    return response;
  };

  const plainRename = fs.rename;
  const files = (await import("node:fs")).promises;
  files.rename = async (from, to) => {
    step(`before rename ${basename(String(to))}`);
    await plainRename(from, to);
    step(`after rename ${basename(String(to))}`);
  };
  syncBuiltinESMExports();

  process.on("exit", () => {
    if (process.env.STEPS_FILE) writeFileSync(process.env.STEPS_FILE, steps.join("\n"));
  });
}
