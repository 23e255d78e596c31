import type { Logger } from "../avatar/logger.ts";
import { Access } from "./access/access.ts";
import type { CoreConfig } from "./config.ts";
import { Core } from "./core.ts";
import { createFolderModelSource } from "./registry/model-source.ts";
import { serveCore } from "./rpc/core-server.ts";
import { deviceInfos } from "./rpc/device-infos.ts";

export interface RunningCore {
  readonly core: Core;
  /** `http://host:port`, or `https:` with `server.tls`; gRPC uses the same port. */
  readonly url: string;
  /** A table of the devices, for people. */
  deviceTable(): Promise<string>;
  /**
   * Reads tokens and certificates again. Connections stay; what cannot be used is
   * logged, and the old is kept. Does not reject.
   */
  reloadAccess(): Promise<void>;
  /**
   * Takes nothing new, finishes what is under way within `server.drain_timeout_s`,
   * and ends the device processes.
   */
  stop(): Promise<void>;
}

/** Starts devices, registry and RPC port. @throws SettingsError, CoreError */
export async function startCore(config: CoreConfig, logger: Logger): Promise<RunningCore> {
  // Before the devices: a wrong file is told at once.
  const access = await Access.open(config.server, logger);
  const source = createFolderModelSource(config.models_root, config.models);
  const core = new Core(config, source, logger);
  try {
    await core.start();
    const server = await serveCore(core, access, logger);
    const host = server.host.includes(":") ? `[${server.host}]` : server.host;
    let stopped: Promise<void> | null = null;
    async function stop(): Promise<void> {
      await server.close(config.server.drain_timeout_s * 1000);
      await core.stop();
    }
    return {
      core,
      url: `${access.tls ? "https" : "http"}://${host}:${server.port}`,
      deviceTable: async () => formatTable(await deviceInfos(core)),
      reloadAccess: server.reloadAccess,
      stop() {
        stopped ??= stop();
        return stopped;
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
