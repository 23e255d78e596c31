import type { IncomingMessage, ServerResponse } from "node:http";
import { Code, createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { withoutEndlessTimeouts } from "../../avatar/endless-timeouts.ts";
import type { Logger } from "../../avatar/logger.ts";
import { listenOnOnePort, type OnePortOptions } from "../../avatar/runtime/one-port-server.ts";
import { noTracing, type Tracing } from "../../avatar/tracing/tracing.ts";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.js";
import { AdminService } from "../../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import { InferenceService } from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import type { Access } from "../access/access.ts";
import type { Core } from "../core.ts";
import type { CoreMetrics } from "../observe/core-metrics.ts";
import { noObserver } from "../observe/observer.ts";
import { type AdminOptions, createAdminService } from "./admin-service.ts";
import { Drain } from "./drain.ts";
import { createCutInterceptor, createGate } from "./gate.ts";
import { createHealthService } from "./health-service.ts";
import { createInferenceService } from "./inference-service.ts";
import { limitMessage } from "./message-limit.ts";
import { observeCalls } from "./observe-calls.ts";
import { createReflectionService } from "./reflection-service.ts";

const MEGABYTE = 1024 * 1024;
/** Of a request that only names something, which a stream keeps for as long as it lasts. */
const MAX_NAME_MESSAGE_BYTES = 4096;
const REFLECTION_PATH = `/${ServerReflection.typeName}/ServerReflectionInfo`;
/** Probes have no token, and learn nothing that a refused connection would not tell. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/livez", "/readyz"]);

export interface CoreServer {
  readonly host: string;
  readonly port: number;
  /** Reads tokens and certificates again; connections that are open stay. Does not reject. */
  reloadAccess(): Promise<void>;
  /** Takes nothing new, waits for requests under way up to `limitMs`, then cuts them. */
  close(limitMs: number): Promise<void>;
}

export interface CoreServerOptions {
  /** Who is let in. */
  readonly access: Access;
  /** Answers `/metrics` and is told of every call. Without it there are none. */
  readonly metrics?: CoreMetrics | undefined;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** What AdminService may change. Default: nothing. */
  readonly admin?: AdminOptions | undefined;
  readonly timing?: Pick<OnePortOptions, "keepAlive" | "firstBytesTimeoutMs">;
}

/** Serves the core: Connect, gRPC-Web and gRPC, with probes and metrics, on one port. */
export async function serveCore(
  core: Core,
  logger: Logger,
  options: CoreServerOptions,
): Promise<CoreServer> {
  const { access, metrics, tracing = noTracing, admin = {}, timing = {} } = options;
  const { host, port, max_message_size_mb } = core.config.server;
  const maxMessageBytes = Math.round(max_message_size_mb * MEGABYTE);
  const drain = new Drain();
  const router = createConnectRouter({
    requestGate: createGate(access, drain),
    interceptors: [
      observeCalls({
        observer: metrics ?? noObserver,
        tracing,
        logger,
        services: new Set([InferenceService.typeName, AdminService.typeName]),
        now: () => performance.now(),
      }),
      createCutInterceptor(drain.cut),
    ],
    shutdownSignal: drain.cut,
    // Pixels and tensors do not compress enough to pay for it.
    acceptCompression: [],
  });
  router.service(InferenceService, createInferenceService(core, logger));
  router.service(Health, createHealthService(core, logger, { closing: drain.closing }), {
    readMaxBytes: MAX_NAME_MESSAGE_BYTES,
  });
  router.service(AdminService, createAdminService(admin, logger), {
    readMaxBytes: MAX_NAME_MESSAGE_BYTES,
  });
  const services = [InferenceService, AdminService, Health, ServerReflection];
  router.service(ServerReflection, createReflectionService(services, drain.closing), {
    readMaxBytes: MAX_NAME_MESSAGE_BYTES,
  });
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const reflection = handlers.get(REFLECTION_PATH);
  // Its messages are the same on the wire, and older tools know no other.
  if (reflection) handlers.set(REFLECTION_PATH.replace(".v1.", ".v1alpha."), reflection);

  /** Interceptors see a unary call when its message is there, and a stream before. */
  function countTooLarge({ method }: UniversalHandler, startedMs: number): void {
    if (method.methodKind !== "unary") return;
    const code = codeToString(Code.ResourceExhausted);
    const durationMs = performance.now() - startedMs;
    metrics?.requestEnded({ method: method.name, code, reason: code, durationMs });
  }

  // As connectNodeAdapter does it, which reports callers that leave as failures, to the console.
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const handler = handlers.get(path);
    if (!handler && !OPEN_PATHS.has(path)) {
      if (!access.allows(request.headers.authorization ?? null)) return refusePlain(response);
    }
    if (path === "/metrics" && metrics) return answerMetrics(metrics, request, response, logger);
    if (!handler) return answerPlain(core, drain, request.method ?? "", path, response);
    const leave = drain.closing.aborted ? () => {} : drain.enter();
    response.once("close", leave);
    let signal: AbortSignal | null = null;
    const startedMs = performance.now();
    try {
      const asked = universalRequestFromNodeRequest(request, response, undefined, undefined);
      signal = asked.signal;
      const call = { ...asked, header: withoutEndlessTimeouts(asked.header) };
      const isBounded = handler.service === InferenceService;
      const bounded = isBounded
        ? limitMessage(call, maxMessageBytes, () => countTooLarge(handler, startedMs))
        : call;
      await universalResponseToNodeResponse(await handler(bounded), response);
    } catch (error) {
      if (signal?.aborted) return;
      logger.error("an answer could not be sent", { path, error: String(error) });
      response.destroy();
    }
  }
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    // A defect in the answer to one caller must not end the core for all.
    answer(request, response).catch((error: unknown) => {
      logger.error("a request was not answered", { error: String(error) });
      response.destroy();
    });
  };
  const server = await listenOnOnePort(onRequest, {
    host,
    port,
    tls: access.tls,
    needsCertificate: access.needsCertificate,
    logger,
    ...timing,
  });
  return {
    host,
    port: server.port,
    async reloadAccess() {
      await access.reload();
      if (access.tls) server.setTls(access.tls);
    },
    async close(limitMs) {
      drain.begin();
      server.drain();
      await drain.finish(limitMs);
      await server.close();
    },
  };
}

async function answerMetrics(
  metrics: CoreMetrics,
  { method }: IncomingMessage,
  response: ServerResponse,
  logger: Logger,
): Promise<void> {
  if (!isRead(method)) return refuseMethod(response);
  try {
    const text = await metrics.text();
    const headers = { "content-type": metrics.contentType, "cache-control": "no-store" };
    response.writeHead(200, headers).end(text);
  } catch (error) {
    logger.error("metrics could not be told", { error: String(error) });
    response.writeHead(500).end();
  }
}

/** HEAD is GET without the body, which Node leaves out (RFC 9110, 9.3.2). */
function isRead(method: string | undefined): boolean {
  return method === "GET" || method === "HEAD";
}

function refuseMethod(response: ServerResponse): void {
  response.writeHead(405, { allow: "GET, HEAD" }).end();
}

function refusePlain(response: ServerResponse): void {
  response.writeHead(401, {
    "content-type": "text/plain; charset=utf-8",
    "www-authenticate": "Bearer",
  });
  response.end('send "authorization: Bearer ..." with a token of the core\'s server.token_file\n');
}

function answerPlain(
  core: Core,
  drain: Drain,
  method: string,
  path: string,
  response: ServerResponse,
): void {
  const readiness = (): [number, string] => {
    if (drain.closing.aborted) return [503, "draining\n"];
    if (!core.isUp) return [503, "no device is up\n"];
    return core.isReady ? [200, "ready\n"] : [503, "models are being preloaded\n"];
  };
  // A path is whatever a caller sends: of an object it could name what every object has.
  const answers = new Map<string, () => [number, string]>([
    ["/livez", () => [200, "live\n"]],
    ["/readyz", readiness],
  ]);
  if (answers.has(path) && !isRead(method)) {
    refuseMethod(response);
    return;
  }
  const [status, text] = answers.get(path)?.() ?? [
    404,
    "This is a mouthpiece core. It answers mouthpiece.inference.v1.InferenceService and grpc.health.v1.Health over Connect, gRPC-Web and gRPC, and GET /livez, /readyz and /metrics.\n",
  ];
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}
