import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createTestHarness } from "wrangler";
import { COMPATIBILITY, denoPath, type Runtime } from "./edges.ts";

/** What a module exports by default, for all of the runtimes. */
export interface FetchModule {
  fetch(request: Request): Promise<Response>;
}

/** A module of ours in a runtime, spoken to over HTTP; in Node, called. */
export interface RunningModule {
  call(path: string, body: BodyInit, signal?: AbortSignal): Promise<Response>;
  stop(): Promise<void>;
}

const HOME = fileURLToPath(new URL("../..", import.meta.url));
const START_LIMIT_MS = 15_000;

/** @param file of a `FetchModule`, from the repository's root */
export async function runModule(runtime: Runtime, file: string): Promise<RunningModule> {
  const path = join(HOME, file);
  if (runtime === "deno") return runInDeno(path);
  if (runtime === "workerd") return runInWorkerd(path);
  const { default: module } = (await import(pathToFileURL(path).href)) as { default: FetchModule };
  return {
    call: (target, body, signal) => module.fetch(request(`http://node${target}`, body, signal)),
    stop: async () => {},
  };
}

function request(url: string, body: BodyInit, signal: AbortSignal | undefined): Request {
  return new Request(url, { method: "POST", body, ...(signal && { signal }) });
}

async function runInDeno(path: string): Promise<RunningModule> {
  const child = spawn(
    denoPath(),
    ["serve", "--no-prompt", "--allow-read", "--host", "127.0.0.1", "--port", "0", path],
    { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, NO_COLOR: "1" } },
  );
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let log = "";
  createInterface(child.stderr).on("line", (line) => {
    log += `${line}\n`;
    const url = /Listening on (http:\S+)/.exec(line)?.[1];
    if (url) resolve(url);
  });
  child.once("exit", () => reject(new Error(`Deno ended:\n${log}`)));
  const limit = setTimeout(() => reject(new Error(`it did not start:\n${log}`)), START_LIMIT_MS);
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  try {
    const url = await promise;
    return {
      call: (target, body, signal) => fetch(request(new URL(target, url).href, body, signal)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(limit);
  }
}

async function runInWorkerd(main: string): Promise<RunningModule> {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-workerd-"));
  const harness = createTestHarness({
    root,
    workers: [{ config: { name: "module", main, ...COMPATIBILITY } }],
  });
  const stop = async () => {
    await harness.close();
    await rm(root, { recursive: true, force: true });
  };
  try {
    const { url } = await harness.listen();
    return {
      call: (target, body, signal) => fetch(request(new URL(target, url).href, body, signal)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
