import type { Logger } from "../avatar/logger.ts";
import { createTracing } from "../avatar/tracing/tracing.ts";
import { Access } from "./access/access.ts";
import type { CoreConfig } from "./config.ts";
import { Core } from "./core.ts";
import { Engine } from "./engine/engine.ts";
import { CoreMetrics } from "./observe/core-metrics.ts";
import { coreSnapshot } from "./observe/core-snapshot.ts";
import { compareConfigs, takeOver } from "./reload.ts";
import type { AdminOptions, ReloadResult } from "./rpc/admin-service.ts";
import { type CoreServer, serveCore } from "./rpc/core-server.ts";
import { deviceInfos } from "./rpc/device-infos.ts";
import { openModelSource } from "./sources/open-source.ts";

/** What is left of the traces gets so long. */
const FLUSH_LIMIT_MS = 2000;

export interface RunningCore {
  readonly core: Core;
  /** `http://host:port`, or `https:` with `server.tls`; gRPC uses the same port. */
  readonly url: string;
  /** Resolves when what is marked `preload` is in memory or has failed; it serves before. */
  preloaded(): Promise<void>;
  /** A table of the devices, for people. */
  deviceTable(): Promise<string>;
  /**
   * Takes over `models:` and `log_level`, and reads tokens and certificates
   * again. Connections stay; a model that changed is served until its new form
   * is loaded, which happens afterwards.
   */
  reload(next: CoreConfig): Promise<ReloadResult>;
  /**
   * Takes nothing new, finishes what is under way within `server.drain_timeout_s`,
   * and ends the device processes.
   */
  stop(): Promise<void>;
}

/**
 * Opens the port, so that probes are answered however long the rest takes, and
 * starts the devices. Models are preloaded afterwards.
 * @param admin what an operator may change while it runs
 * @throws SettingsError, CoreError
 */
export async function startCore(
  config: CoreConfig,
  logger: Logger,
  admin: AdminOptions = {},
): Promise<RunningCore> {
  // Before the devices: a wrong file is told at once.
  const access = await Access.open(config.server, logger);
  const source = await openModelSource(config, process.env, logger);
  if (config.faults.length > 0) logger.warn("faults are injected", { faults: config.faults });
  const engine = new Engine(config, logger);
  const tracing = createTracing(config.tracing, logger);
  // The core tells the metrics what happens, and they ask the core how it is.
  const metrics: CoreMetrics = new CoreMetrics(() => coreSnapshot(core, tracing), {
    process: true,
  });
  const core: Core = new Core({ config, engine, source, logger, observer: metrics });
  let server: CoreServer | null = null;
  const end = async (drainMs: number): Promise<void> => {
    await server?.close(drainMs);
    await core.stop();
    await source.close();
    await tracing.stop(FLUSH_LIMIT_MS);
  };
  try {
    server = await serveCore(core, logger, { access, metrics, tracing, admin });
    await core.start();
  } catch (error) {
    await end(0);
    throw error;
  }
  const { port, reloadAccess } = server;
  const host = server.host.includes(":") ? `[${server.host}]` : server.host;
  let current = config;
  let stopped: Promise<void> | null = null;
  return {
    core,
    preloaded: () => core.preloaded(),
    url: `${access.tls ? "https" : "http"}://${host}:${port}`,
    deviceTable: async () => formatTable(await deviceInfos(core)),
    async reload(next) {
      const result = compareConfigs(current, next);
      current = takeOver(current, next);
      await reloadAccess();
      if (admin.logLevel) admin.logLevel.level = next.log_level;
      // Loads take their time, and their failures are logged.
      if (result.applied.includes("models")) void core.registry.reconfigure(next.models);
      logger.info("configuration read again", { ...result });
      return result;
    },
    stop() {
      stopped ??= end(config.server.drain_timeout_s * 1000);
      return stopped;
    },
  };
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
