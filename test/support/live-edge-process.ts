import { silentLogger } from "../../avatar/logger.ts";
import { parseEdgeConfig } from "../../edge/config.ts";
import { startNodeEdge } from "../../edge/runtime/node.ts";

/**
 * An edge alone in a process, which tells what it holds: nothing of a test's own is
 * among it. Run it with `fork` and `--expose-gc`; its first argument is the
 * configuration as JSON. Each message is answered with an `EdgeHoldings`.
 */
export interface EdgeHoldings {
  /** How many of each kind keep the process alive, as Node calls them. */
  readonly resources: Readonly<Record<string, number>>;
  /** What JavaScript holds after a full collection, with its array buffers. */
  readonly heapBytes: number;
  readonly cpuMs: number;
}

const { send } = process;
if (!send || !globalThis.gc) throw new Error("fork it with --expose-gc");
const tell = send.bind(process);

const config = parseEdgeConfig(JSON.parse(process.argv[2] ?? "{}"), "argument");
const edge = await startNodeEdge(config, null, silentLogger);
tell({ url: edge.url });
process.on("message", () => void hold().then((holdings) => tell(holdings)));
process.on("disconnect", () => process.exit());

async function hold(): Promise<EdgeHoldings> {
  // What finalisers let go of is collected by the second.
  for (let n = 0; n < 2; n++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    resources[kind] = (resources[kind] ?? 0) + 1;
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { resources, heapBytes: heapUsed + arrayBuffers, cpuMs: (user + system) / 1000 };
}
