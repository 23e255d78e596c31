import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { serve } from "@hono/node-server";
import type { Logger } from "../../avatar/logger.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { createTracing } from "../../avatar/tracing/tracing.ts";
import { createApp } from "../app.ts";
import type { EdgeConfig } from "../config.ts";
import { createConnectCoreClient } from "../core/connect-core-client.ts";
import { createCoreTransport } from "./core-transport.ts";
import { createFolderAssets } from "./folder-assets.ts";
import { createPreparerPool } from "./preparer-pool.ts";

/** Requests under way get so long when the edge stops. */
const DRAIN_LIMIT_MS = 5000;
/** What is left of the traces gets so long. */
const FLUSH_LIMIT_MS = 2000;

export interface RunningEdge {
  readonly url: string;
  /** Whether the core answers and can serve. @throws CoreCallError */
  checkCore(signal: AbortSignal): Promise<void>;
  /** Takes no new requests, and ends those under way within a limit. */
  stop(): Promise<void>;
}

/**
 * The edge on Node: avatars from a folder, the core over gRPC.
 * @param assetsRoot folder of the built page; null serves none
 * @throws SettingsError when a file that `config.core` names cannot be used
 */
export async function startNodeEdge(
  config: EdgeConfig,
  assetsRoot: string | null,
  logger: Logger,
): Promise<RunningEdge> {
  const { transport, close } = await createCoreTransport(config.core);
  const tracing = createTracing(config.tracing, logger);
  const core = createConnectCoreClient(transport, config.core.timeout_s * 1000, tracing);
  const preparer = createPreparerPool(availableParallelism());
  const app = createApp({
    config,
    store: createFolderStore(config.avatars_root),
    core,
    preparer,
    assets: assetsRoot === null ? null : createFolderAssets(assetsRoot),
    logger,
    tracing,
    now: () => performance.now(),
  });
  const { host, port } = config.server;
  const { promise, resolve, reject } = Promise.withResolvers<AddressInfo>();
  // Without TLS options it is a plain HTTP server.
  const server = serve({ fetch: app.fetch, hostname: host, port }, resolve) as Server;
  server.once("error", reject);
  const address = await promise;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    checkCore: (signal) => core.checkHealth(signal),
    async stop() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_LIMIT_MS);
      await closed;
      clearTimeout(cut);
      close();
      await preparer.stop();
      await tracing.stop(FLUSH_LIMIT_MS);
    },
  };
}
