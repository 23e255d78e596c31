import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { contentOf } from "../../avatar/publish/content.ts";
import { createS3Store } from "../../avatar/s3/s3-store.ts";

/** The edge in workerd, with its inspector. */
export interface WorkerProcess {
  readonly url: string;
  readonly memory: IsolateMemory;
  stop(): Promise<void>;
}

/** What the isolate's inspector tells, in bytes. */
export interface HeapUsage {
  /** Objects of JavaScript. */
  readonly usedSize: number;
  /** Array buffers and the memories of WASM. */
  readonly backingStorageSize: number;
}

interface InspectorMessage {
  /** Of an answer. */
  readonly id?: number;
  readonly result: unknown;
  /** Of an event. */
  readonly method?: string;
  readonly params?: { readonly chunk?: string };
}

/** What of V8's format is read. */
interface HeapSnapshot {
  readonly snapshot: { readonly meta: { readonly node_fields: readonly string[] } };
  readonly nodes: readonly number[];
}

const MAIN = fileURLToPath(new URL("../../edge/runtime/worker.ts", import.meta.url));
const CREDENTIALS = { accessKeyId: "bench", secretAccessKey: "bench-secret" };
const START_LIMIT_MS = 60_000;
const CALL_LIMIT_MS = 30_000;

/**
 * Starts `wrangler dev` with the avatars of a folder in its bucket.
 * @param folder for its configuration and its state
 */
export async function startWorker(
  folder: string,
  avatars: string,
  edge: object,
): Promise<WorkerProcess> {
  const file = join(folder, "wrangler.json");
  const config = {
    name: "edge",
    main: MAIN,
    compatibility_date: "2026-01-01",
    compatibility_flags: ["enable_request_signal"],
    vars: { EDGE: { access: { open: true }, log_level: "error", ...edge } },
    r2_buckets: [
      {
        binding: "AVATARS",
        bucket_name: "avatars",
        local_dev: { experimental_s3_credentials: CREDENTIALS },
      },
    ],
  };
  await writeFile(file, JSON.stringify(config));
  const wrangler = dirname(createRequire(import.meta.url).resolve("wrangler/package.json"));
  const [port, inspectorPort] = [await freePort(), await freePort()];
  const child = spawn(
    process.execPath,
    [
      join(wrangler, "bin", "wrangler.js"),
      ...["dev", "--config", file, "--persist-to", join(folder, "state")],
      ...["--port", String(port), "--inspector-port", String(inspectorPort)],
    ],
    {
      cwd: folder,
      stdio: "ignore",
      env: {
        ...process.env,
        WRANGLER_SEND_METRICS: "false",
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
      },
    },
  );
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilAnswering(child, `${url}/livez`);
    await fill(`${url}/cdn-cgi/local/r2/s3`, avatars);
    const memory = await IsolateMemory.connect(inspectorPort);
    return {
      url,
      memory,
      async stop() {
        memory.close();
        await end(child);
      },
    };
  } catch (error) {
    await end(child);
    throw error;
  }
}

/** What the isolate holds, over the Chrome DevTools Protocol. */
export class IsolateMemory {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #snapshot: string[] = [];
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, result, method, params } = JSON.parse(String(data)) as InspectorMessage;
      if (method === "HeapProfiler.addHeapSnapshotChunk") this.#snapshot.push(params?.chunk ?? "");
      if (id === undefined) return;
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    };
  }

  static async connect(port: number): Promise<IsolateMemory> {
    // Wrangler lets pages in by their origin. Node's WebSocket takes headers, its type does not say so.
    const options = { headers: { origin: "http://localhost" } } as unknown as string[];
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, options);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("the inspector does not answer"));
    });
    const memory = new IsolateMemory(socket);
    await memory.#call("Runtime.enable");
    return memory;
  }

  async usage(): Promise<HeapUsage> {
    return (await this.#call("Runtime.getHeapUsage")) as HeapUsage;
  }

  /**
   * Bytes of all that can be reached, buffers included: what a snapshot holds, which
   * begins with a collection. When it is here, there is garbage again.
   */
  async live(): Promise<number> {
    this.#snapshot = [];
    await this.#call("HeapProfiler.takeHeapSnapshot");
    const { snapshot, nodes } = JSON.parse(this.#snapshot.join("")) as HeapSnapshot;
    const fields = snapshot.meta.node_fields;
    let bytes = 0;
    for (let at = fields.indexOf("self_size"); at < nodes.length; at += fields.length) {
      bytes += nodes[at] ?? 0;
    }
    return bytes;
  }

  close(): void {
    this.#socket.close();
  }

  #call(method: string): Promise<unknown> {
    const id = ++this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params: {} }));
    const late = () => reject(new Error(`the inspector does not answer ${method}`));
    const limit = setTimeout(late, CALL_LIMIT_MS);
    return promise.finally(() => clearTimeout(limit));
  }
}

async function fill(endpoint: string, root: string): Promise<void> {
  const store = createS3Store({
    endpoint,
    region: "auto",
    bucket: "avatars",
    prefix: "",
    credentials: CREDENTIALS,
  });
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const key = join(entry.parentPath, entry.name).slice(root.length + 1);
    if (!entry.isFile() || !key.startsWith("avatars/")) continue;
    const content = contentOf(new Uint8Array(await readFile(join(root, key))));
    await store.write(key, content, { journal: null, onBytes() {} });
  }
}

async function untilAnswering(child: ChildProcess, url: string): Promise<void> {
  const latest = performance.now() + START_LIMIT_MS;
  while (performance.now() < latest && child.exitCode === null) {
    const response = await fetch(url).catch(() => null);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("wrangler dev did not start");
}

async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const limit = setTimeout(() => child.kill("SIGKILL"), 5000);
  await ended;
  clearTimeout(limit);
}
