import { type ChildProcess, spawn } from "node:child_process";
import { readyUrl } from "../../test/support/ready-url.ts";

/** A server in a process of its own. */
export interface ServerProcess {
  readonly child: ChildProcess;
  readonly url: string;
}

/** As `mouthpiece` starts Node: see cli/bin.js. */
const NODE_OPTIONS = ["--initial-old-space-size=256"];

/** Runs Node with these arguments until the server says `ready URL`. Its log is written, to nobody. */
export async function startServer(args: readonly string[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...NODE_OPTIONS, ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    return { child, url: await readyUrl(child, () => args.join(" ")) };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}
