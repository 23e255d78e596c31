import type { IncomingMessage, ServerResponse } from "node:http";
import { createConnectRouter } from "@connectrpc/connect";
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { Logger } from "../../avatar/logger.ts";
import { noTracing, type Tracing } from "../../avatar/tracing/tracing.ts";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.js";
import { AdminService } from "../../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import { InferenceService } from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import type { Core } from "../core.ts";
import type { CoreMetrics } from "../observe/core-metrics.ts";
import { noObserver } from "../observe/observer.ts";
import { type AdminOptions, createAdminService } from "./admin-service.ts";
import { createHealthService } from "./health-service.ts";
import { createInferenceService } from "./inference-service.ts";
import { observeCalls } from "./observe-calls.ts";
import { listenOnOnePort, type OnePortServer } from "./one-port-server.ts";
import { createReflectionService } from "./reflection-service.ts";

const MEGABYTE = 1024 * 1024;
/** Of a request that only names something, which a stream keeps for as long as it lasts. */
const MAX_NAME_MESSAGE_BYTES = 4096;

export interface CoreServerOptions {
  /** Answers `/metrics` and is told of every call. Without it there are none. */
  readonly metrics?: CoreMetrics | undefined;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** What AdminService may change. Default: nothing. */
  readonly admin?: AdminOptions | undefined;
}

/** Serves the core: Connect, gRPC-Web and gRPC, with probes and metrics, on one port. */
export async function serveCore(
  core: Core,
  logger: Logger,
  options: CoreServerOptions = {},
): Promise<OnePortServer> {
  const { metrics, tracing = noTracing, admin = {} } = options;
  const { host, port, max_message_size_mb } = core.config.server;
  const router = createConnectRouter({
    readMaxBytes: Math.round(max_message_size_mb * MEGABYTE),
    // Pixels and tensors do not compress enough to pay for it.
    acceptCompression: [],
    interceptors: [
      observeCalls({
        observer: metrics ?? noObserver,
        tracing,
        logger,
        services: new Set([InferenceService.typeName, AdminService.typeName]),
        now: () => performance.now(),
      }),
    ],
  });
  const closing = new AbortController();
  router.service(InferenceService, createInferenceService(core, logger));
  router.service(Health, createHealthService(core, logger, { closing: closing.signal }), {
    readMaxBytes: MAX_NAME_MESSAGE_BYTES,
  });
  router.service(AdminService, createAdminService(admin, logger), {
    readMaxBytes: MAX_NAME_MESSAGE_BYTES,
  });
  const services = [InferenceService, AdminService, Health, ServerReflection];
  router.service(ServerReflection, createReflectionService(services), {
    readMaxBytes: MAX_NAME_MESSAGE_BYTES,
  });
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  // As connectNodeAdapter does it, which reports callers that leave as failures, to the console.
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const handler = handlers.get(path);
    if (path === "/metrics" && metrics) return answerMetrics(metrics, request, response, logger);
    if (!handler) return answerPlain(core, request.method ?? "", path, response);
    const call = universalRequestFromNodeRequest(request, response, undefined, undefined);
    try {
      await universalResponseToNodeResponse(await handler(call), response);
    } catch (error) {
      if (call.signal.aborted) return;
      logger.error("an answer could not be sent", { path, error: String(error) });
      response.destroy();
    }
  }
  const server = await listenOnOnePort(
    (request, response) => void answer(request, response),
    host,
    port,
  );
  return {
    ...server,
    close(limitMs) {
      closing.abort();
      return server.close(limitMs);
    },
  };
}

async function answerMetrics(
  metrics: CoreMetrics,
  { method }: IncomingMessage,
  response: ServerResponse,
  logger: Logger,
): Promise<void> {
  if (method !== "GET" && method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  try {
    const text = await metrics.text();
    const headers = { "content-type": metrics.contentType, "cache-control": "no-store" };
    response.writeHead(200, headers).end(text);
  } catch (error) {
    logger.error("metrics could not be told", { error: String(error) });
    response.writeHead(500).end();
  }
}

function answerPlain(core: Core, method: string, path: string, response: ServerResponse): void {
  const answers: Record<string, () => [number, string]> = {
    "/livez": () => [200, "live\n"],
    "/readyz": () => (core.isReady ? [200, "ready\n"] : [503, "no device is up\n"]),
  };
  const [status, text] = (method === "GET" && answers[path]?.()) || [
    404,
    "This is a mouthpiece core. It answers mouthpiece.inference.v1.InferenceService and grpc.health.v1.Health over Connect, gRPC-Web and gRPC, and GET /livez, /readyz and /metrics.\n",
  ];
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}
