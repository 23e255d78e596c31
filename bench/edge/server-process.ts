import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A server in a process of its own. */
export interface ServerProcess {
  readonly child: ChildProcess;
  readonly url: string;
}

const START_LIMIT_MS = 60_000;
/** As `mouthpiece` starts Node: see cli/bin.js. */
const NODE_OPTIONS = ["--initial-old-space-size=256"];

/** Runs Node with these arguments until the server says `ready URL`. Its log is written, to nobody. */
export async function startServer(args: readonly string[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...NODE_OPTIONS, ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const limit = setTimeout(() => reject(new Error(`${args[0]} did not start`)), START_LIMIT_MS);
  createInterface(child.stdout).on("line", (line) => {
    const ready = /^ready (.*)$/.exec(line)?.[1];
    if (ready) resolve(ready);
  });
  child.once("exit", () => reject(new Error(`${args[0]} ended`)));
  try {
    return { child, url: await promise };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(limit);
  }
}
