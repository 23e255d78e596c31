import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Logger } from "../../avatar/logger.ts";
import { isLoopback } from "../../avatar/runtime/loopback.ts";
import { listenOnOnePort } from "../../avatar/runtime/one-port-server.ts";
import { createApp } from "../app.ts";
import { type EdgeConfig, uploadTimes } from "../config.ts";
import { createCoreTransports } from "./core-transport.ts";
import { createGrpcListener } from "./grpc-listener.ts";
import { createSocketListener } from "./node-sockets.ts";
import { type RunningEdge, urlOf } from "./running-edge.ts";
import { createServerParts } from "./server-parts.ts";
import { openEncoders } from "./webcodecs/open-encoders.ts";
import { loadWebCodecs } from "./webcodecs/webcodecs-module.ts";

const POLL_MS = 20;
const CUT_AFTER_MS = 60_000;
const LOOPBACK = "127.0.0.1";

/**
 * The edge on Node, over HTTP/1.1 and HTTP/2 on one port: the core over gRPC,
 * and gRPC for callers beside Connect and gRPC-Web.
 * @param assetsRoot folder of the built page; null serves none
 * @param importWebCodecs where @napi-rs/webcodecs is, if it is not installed beside this package
 * @throws SettingsError when a file, variable, port or package that `config` needs cannot be used
 */
export async function startNodeEdge(
  config: EdgeConfig,
  assetsRoot: string | null,
  logger: Logger,
  importWebCodecs?: () => Promise<unknown>,
): Promise<RunningEdge> {
  const isWhole = config.video.whole_frames;
  const encoders = isWhole ? await openEncoders(await loadWebCodecs(importWebCodecs)) : null;
  const openCore = await createCoreTransports(config.core);
  const parts = await createServerParts(config, openCore, assetsRoot, logger);
  const webrtc = await openWebRtc(config, logger);
  const app = createApp({ ...parts, ...(encoders && { encoders }), ...(webrtc && { webrtc }) });
  const web = getRequestListener((request) => app.fetch(request)) as RequestListener;
  const listener = createGrpcListener(app, web, parts.tracing);
  let underWay = 0;
  const { host, port, drain_timeout_s } = config.server;
  // Who is slower is told so; this cuts off whom nobody listens to any more.
  const requestTimeoutMs = uploadTimes(config).totalMs + CUT_AFTER_MS;
  const listening = listenOnOnePort(
    (request, response) => {
      underWay++;
      response.once("close", () => underWay--);
      closeAfterRefusal(request, response);
      listener(request, response);
    },
    {
      ...{ host, port, tls: null, needsCertificate: false, logger, requestTimeoutMs },
      onUpgrade: createSocketListener(app, parts.logger),
    },
  );
  const server = await listening.catch(async (error: unknown) => {
    await webrtc?.stop();
    await parts.stop();
    throw error;
  });
  return {
    url: urlOf(host, server.port),
    checkCore: (signal) => parts.core.checkHealth(signal),
    async stop() {
      app.stop();
      server.drain();
      const latest = performance.now() + 1000 * drain_timeout_s;
      while (underWay > 0 && performance.now() < latest) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      await webrtc?.stop();
      await server.close();
      await parts.stop();
    },
  };
}

/** Its packages take 75 MB, so they are loaded where they are used. */
async function openWebRtc({ webrtc, server }: EdgeConfig, logger: Logger) {
  if (!webrtc) return null;
  const { createWebRtcPeers } = await import("./webrtc/webrtc-peers.ts");
  // Who serves this machine alone is not to be reached from another one.
  const addresses = webrtc.addresses ?? (isLoopback(server.host) ? [LOOPBACK] : undefined);
  return createWebRtcPeers({ settings: { ...webrtc, ...(addresses && { addresses }) } }, logger);
}

/**
 * Who is refused before his upload is through will not have the rest of it
 * read: the connection ends, and is told so, or a client would use it again.
 */
function closeAfterRefusal(request: IncomingMessage, response: ServerResponse): void {
  if (request.httpVersionMajor !== 1) return;
  const writeHead = response.writeHead;
  response.writeHead = ((status: number, ...rest: []) => {
    if (status >= 400 && !request.complete) response.shouldKeepAlive = false;
    return writeHead.call(response, status, ...rest);
  }) as typeof writeHead;
}
