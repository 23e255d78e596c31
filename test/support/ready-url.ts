import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

const START_LIMIT_MS = 60_000;

/**
 * The address of a server, when its process says `ready URL`.
 * @param log what it has said else, for the error
 * @throws Error when it ends before, or takes longer than a minute
 */
export async function readyUrl(child: ChildProcess, log: () => string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const limit = setTimeout(() => reject(new Error(`it did not start:\n${log()}`)), START_LIMIT_MS);
  createInterface(child.stdout!).on("line", (line) => {
    const url = /^ready (.*)$/.exec(line)?.[1];
    if (url) resolve(url);
  });
  child.once("exit", () => reject(new Error(`it ended:\n${log()}`)));
  return promise.finally(() => clearTimeout(limit));
}
