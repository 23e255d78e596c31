import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const MOUTHPIECE = fileURLToPath(new URL("../../cli/bin.js", import.meta.url));

export interface CommandRun {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

export interface CommandOptions {
  /** Set beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A command that takes longer is killed. */
const LIMIT_MS = 60_000;

/** Runs Node with these arguments to its end. */
export async function runNode(
  args: readonly string[],
  { environment = {} }: CommandOptions = {},
): Promise<CommandRun> {
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const [status, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on("close", (code, killed) => resolve([code, killed]));
  });
  clearTimeout(limit);
  return { status, signal, out, err };
}

/** Runs `mouthpiece` with these arguments. */
export function mouthpiece(...args: string[]): Promise<CommandRun> {
  return runNode([MOUTHPIECE, ...args]);
}
