import type { Logger } from "../avatar/logger.ts";
import { createTracing } from "../avatar/tracing/tracing.ts";
import type { CoreConfig } from "./config.ts";
import { Core } from "./core.ts";
import { Engine } from "./engine/engine.ts";
import { CoreMetrics } from "./observe/core-metrics.ts";
import { coreSnapshot } from "./observe/core-snapshot.ts";
import type { AdminOptions } from "./rpc/admin-service.ts";
import { serveCore } from "./rpc/core-server.ts";
import { deviceInfos } from "./rpc/device-infos.ts";
import { openModelSource } from "./sources/open-source.ts";

/** Requests under way get so long when the core stops. */
const DRAIN_LIMIT_MS = 10_000;
/** What is left of the traces gets so long. */
const FLUSH_LIMIT_MS = 2000;

export interface RunningCore {
  readonly core: Core;
  /** `http://host:port`; gRPC uses the same port. */
  readonly url: string;
  /** A table of the devices, for people. */
  deviceTable(): Promise<string>;
  /** Finishes what is under way within a limit and ends the device processes. */
  stop(): Promise<void>;
}

/**
 * Starts devices, registry and RPC port.
 * @param admin what an operator may change while it runs
 */
export async function startCore(
  config: CoreConfig,
  logger: Logger,
  admin: AdminOptions = {},
): Promise<RunningCore> {
  const source = await openModelSource(config, process.env, logger);
  const engine = new Engine(config, logger);
  const tracing = createTracing(config.tracing, logger);
  // The core tells the metrics what happens, and they ask the core how it is.
  const metrics: CoreMetrics = new CoreMetrics(() => coreSnapshot(core, tracing), {
    process: true,
  });
  const core: Core = new Core({ config, engine, source, logger, observer: metrics });
  try {
    await core.start();
    const server = await serveCore(core, logger, { metrics, tracing, admin });
    return {
      core,
      url: `http://${server.host.includes(":") ? `[${server.host}]` : server.host}:${server.port}`,
      deviceTable: async () => formatTable(await deviceInfos(core)),
      async stop() {
        await server.close(DRAIN_LIMIT_MS);
        await core.stop();
        await source.close();
        await tracing.stop(FLUSH_LIMIT_MS);
      },
    };
  } catch (error) {
    await core.stop();
    throw error;
  }
}

function formatTable(devices: Awaited<ReturnType<typeof deviceInfos>>): string {
  const rows = devices.map((device) => [
    String(device.gpuId),
    device.kind,
    device.state,
    `${device.workers} x ${device.threads} threads`,
    String(device.loadedModels),
    `${megabytes(device.memoryBytes)} of ${megabytes(device.memoryBudgetBytes)}`,
  ]);
  const table = [["device", "kind", "state", "workers", "models", "memory"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function megabytes(bytes: bigint): string {
  return `${Math.round(Number(bytes) / 1024 ** 2)} MB`;
}
