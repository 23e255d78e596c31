import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { createJsonLogger } from "../../avatar/logger.ts";
import { contentOf } from "../../avatar/publish/content.ts";
import { createS3Store } from "../../avatar/s3/s3-store.ts";
import { parseEdgeConfig } from "../../edge/config.ts";
import { startNodeEdge } from "../../edge/runtime/node.ts";
import { readyUrl } from "./ready-url.ts";

/** An edge in some runtime, on loopback. */
export interface TestEdge {
  readonly url: string;
  /** What it has written to its log. */
  log(): string;
  stop(): Promise<void>;
}

export interface EdgeSettings {
  /** Folder with `avatars/`. In workerd its content is put into the R2 bucket. */
  readonly root: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Variables and secrets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** In workerd: the platform's count of calls, per tenant and minute. */
  readonly callsPerMinute?: number;
}

export const RUNTIMES = { node: startNode, deno: startDeno, workerd: startWorkerd } as const;
export type Runtime = keyof typeof RUNTIMES;

const HOME = fileURLToPath(new URL("../..", import.meta.url));
/** Newest date that the bundled workerd knows, and the flags, as `wrangler.toml` has them. */
export const COMPATIBILITY = {
  compatibility_date: "2026-01-01",
  compatibility_flags: ["enable_request_signal"],
};
const CREDENTIALS = { accessKeyId: "test-key", secretAccessKey: "test-secret" };

async function startNode({ root, config, environment = {} }: EdgeSettings): Promise<TestEdge> {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  const settings = { avatars_root: root, server: { port: 0 }, ...config };
  try {
    const checked = parseEdgeConfig(settings, "test");
    const lines: string[] = [];
    const logger = createJsonLogger(checked.log_level, (line) => lines.push(line));
    const edge = await startNodeEdge(checked, null, logger);
    return { url: edge.url, log: () => lines.join("\n"), stop: () => edge.stop() };
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

async function startDeno({ root, config, environment = {} }: EdgeSettings): Promise<TestEdge> {
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-deno-"));
  const file = join(folder, "edge.yaml");
  await writeFile(file, JSON.stringify({ avatars_root: root, server: { port: 0 }, ...config }));
  const child = spawn(
    denoPath(),
    [
      "run",
      "--no-prompt",
      "--unstable-no-legacy-abort",
      ...["--allow-net=127.0.0.1", "--allow-read", "--allow-env", "--allow-sys"],
      join(HOME, "edge", "runtime", "deno.ts"),
      ...["--config", file],
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1", ...environment } },
  );
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { url: await readyUrl(child, () => log), log: () => log, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The executable itself: the command of the package is a parent that passes no signals on. */
export function denoPath(): string {
  const load = createRequire(import.meta.url);
  return (load("deno/install_api.cjs") as { runInstall(): string }).runInstall();
}

async function startWorkerd(settings: EdgeSettings): Promise<TestEdge> {
  const { root, config, environment = {}, callsPerMinute } = settings;
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-workerd-"));
  const bucket = "avatars";
  const isElsewhere = String(config.avatars_root ?? "").startsWith("s3://");
  const harness = createTestHarness({
    root: folder,
    workers: [
      {
        config: {
          name: "edge",
          main: join(HOME, "edge", "runtime", "worker.ts"),
          ...COMPATIBILITY,
          vars: { EDGE: { access: { open: true }, ...config }, ...environment } as never,
          ...(callsPerMinute !== undefined && {
            ratelimits: [
              {
                name: "RATE_LIMIT",
                namespace_id: "1",
                simple: { limit: callsPerMinute, period: 60 },
              },
            ],
          }),
          ...(!isElsewhere && {
            r2_buckets: [
              {
                binding: "AVATARS",
                bucket_name: bucket,
                local_dev: { experimental_s3_credentials: CREDENTIALS },
              },
            ],
          }),
        },
      },
    ],
  });
  const stop = async () => {
    await harness.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { url } = await harness.listen();
    const endpoint = new URL("/cdn-cgi/local/r2/s3", url).href;
    const store = createS3Store({
      endpoint,
      region: "auto",
      bucket,
      prefix: "",
      credentials: CREDENTIALS,
    });
    for (const key of isElsewhere ? [] : await filesBelow(root)) {
      const content = await contentOf(new Uint8Array(await readFile(join(root, key))));
      await store.write(key, content, { journal: null, onBytes: () => {} });
    }
    return {
      url: url.href.replace(/\/$/, ""),
      log: () =>
        harness
          .getLogs()
          .map(({ message }) => message)
          .join("\n"),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1))
    .filter((key) => key.startsWith("avatars/"));
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const limit = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(limit);
}
