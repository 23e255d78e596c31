import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { Logger } from "../../avatar/logger.ts";
import { createApp } from "../app.ts";
import type { EdgeConfig } from "../config.ts";
import { createCoreTransport } from "./core-transport.ts";
import { type RunningEdge, urlOf } from "./running-edge.ts";
import { createServerParts } from "./server-parts.ts";

/** Requests under way get so long when the edge stops. */
const DRAIN_LIMIT_MS = 5000;

/**
 * The edge on Node: the core over gRPC.
 * @param assetsRoot folder of the built page; null serves none
 * @throws SettingsError when a file or variable that `config` needs cannot be used
 */
export async function startNodeEdge(
  config: EdgeConfig,
  assetsRoot: string | null,
  logger: Logger,
): Promise<RunningEdge> {
  const { transport, close } = await createCoreTransport(config.core);
  const parts = createServerParts(config, transport, assetsRoot, logger);
  const app = createApp(parts);
  const { host, port } = config.server;
  const { promise, resolve, reject } = Promise.withResolvers<AddressInfo>();
  // Without TLS options it is a plain HTTP server.
  const server = serve({ fetch: app.fetch, hostname: host, port }, resolve) as Server;
  server.once("error", reject);
  const address = await promise;
  return {
    url: urlOf(host, address.port),
    checkCore: (signal) => parts.core.checkHealth(signal),
    async stop() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_LIMIT_MS);
      await closed;
      clearTimeout(cut);
      close();
      await parts.stop();
    },
  };
}
