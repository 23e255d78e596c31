import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createJsonLogger, type Logger } from "../../avatar/logger.ts";
import { readConfigFile } from "../../avatar/runtime/config-file.ts";
import { SettingsError } from "../../avatar/settings.ts";
import { createApp } from "../app.ts";
import type { EdgeConfig } from "../config.ts";
import { problemResponse } from "../http/problem.ts";
import { waitAtMost } from "../time-limit.ts";
import { readCoreAccess } from "./core-access.ts";
import { DenoSockets } from "./deno-socket.ts";
import { edgeConfigFrom } from "./edge-config-file.ts";
import { createFetchTransport } from "./fetch-transport.ts";
import { type RunningEdge, urlOf } from "./running-edge.ts";
import { createServerParts } from "./server-parts.ts";

/** What of Deno is used beside what Node has. */
declare const Deno: {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
    handler: (
      request: Request,
      /** `completed` when the answer has been sent, or cannot be. */
      info: { readonly completed: Promise<void> },
    ) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
  createHttpClient(options: { caCerts?: string[]; cert?: string; key?: string }): object;
  addSignalListener(signal: "SIGINT" | "SIGTERM", handler: () => void): void;
  exit(status: number): never;
};

/** Sockets get so long for their last words. */
const GOODBYE_MS = 1000;

/**
 * The edge on Deno: the core over Connect.
 * @param assetsRoot folder of the built page; null serves none
 * @throws SettingsError when a file or variable that `config` needs cannot be used
 */
export async function startDenoEdge(
  config: EdgeConfig,
  assetsRoot: string | null,
  logger: Logger,
): Promise<RunningEdge> {
  if (config.core.discover?.scheme === "https") {
    throw new SettingsError(
      "core.discover.scheme: on Deno only http: its fetch cannot be told the name in the certificate of a core that is reached by its address",
    );
  }
  if (config.video.whole_frames) {
    throw new SettingsError(
      "video.whole_frames: on Node only, as Deno's sandbox has no room for its add-on: publish the avatars with --formats h264",
    );
  }
  if (config.webrtc) {
    throw new SettingsError(
      "webrtc: on Node only: viewers of this edge watch over the WebSocket; leave the section out",
    );
  }
  const { token, tls } = await readCoreAccess(config.core);
  const text = (pem: Buffer | undefined) => pem?.toString("utf8");
  const [ca, cert, key] = [text(tls.ca), text(tls.cert), text(tls.key)];
  const client =
    ca || cert
      ? Deno.createHttpClient({
          ...(ca && { caCerts: [ca] }),
          ...(cert && key && { cert, key }),
        })
      : undefined;
  const openCore = (url: string) => ({
    transport: createFetchTransport({
      url,
      token,
      // `client` is Deno's own.
      ...(client && { fetch: (input, init) => fetch(input, { ...init, client } as RequestInit) }),
    }),
    // Each call has its own end.
    close() {},
  });
  const parts = await createServerParts(config, openCore, assetsRoot, logger);
  const app = createApp(parts);
  const { host, port, drain_timeout_s } = config.server;
  const sockets = new DenoSockets();
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();
  let isStopping = false;
  const server = Deno.serve(
    { hostname: host, port, signal: stopping.signal, onListen() {} },
    (request, { completed }) => {
      if (isStopping) return refuse();
      if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
        return app.connect(request, sockets.upgrade(request));
      }
      const ended: Promise<void> = completed.catch(() => {}).finally(() => underWay.delete(ended));
      underWay.add(ended);
      return app.fetch(request);
    },
  );
  return {
    url: urlOf(host, server.addr.port),
    checkCore: (signal) => parts.core.checkHealth(signal),
    async stop() {
      isStopping = true;
      app.stop();
      // A server that shuts down closes sockets before they have sent everything, and takes
      // away what requests have not read of their bodies.
      await sockets.closed(GOODBYE_MS);
      await waitAtMost(Promise.all(underWay), 1000 * drain_timeout_s);
      stopping.abort();
      await server.shutdown();
      await parts.stop();
    },
  };
}

/** Whoever comes while it stops. */
function refuse(): Response {
  const answer = problemResponse({
    type: "about:blank",
    title: "Service Unavailable",
    status: 503,
    detail: "the edge stops: try again shortly",
    requestId: crypto.randomUUID(),
    retryAfterS: 1,
  });
  answer.headers.set("connection", "close");
  return answer;
}

/** `deno run ... edge/runtime/deno.ts [--config FILE]` */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: "string" } } });
  const config = edgeConfigFrom(await readConfigFile(values.config));
  const logger = createJsonLogger(config.log_level, (line) => process.stderr.write(`${line}\n`));
  const page = fileURLToPath(new URL("../../client/dist", import.meta.url));
  const running = await startDenoEdge(config, page, logger);
  process.stdout.write(`ready ${running.url}\n`);
  let isStopping = false;
  const stop = () => {
    // A second signal is from somebody who does not want to wait.
    if (isStopping) Deno.exit(1);
    isStopping = true;
    void running.stop().then(() => Deno.exit(0));
  };
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`mouthpiece: ${error.message}\n`);
    Deno.exit(1);
  }
}
