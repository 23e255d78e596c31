import type { IncomingMessage, ServerResponse } from "node:http";
import { createConnectRouter } from "@connectrpc/connect";
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { Logger } from "../../avatar/logger.ts";
import { InferenceService } from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import type { Core } from "../core.ts";
import { createInferenceService } from "./inference-service.ts";
import { listenOnOnePort, type OnePortServer } from "./one-port-server.ts";

const MEGABYTE = 1024 * 1024;

/** Serves the core: Connect, gRPC-Web and gRPC, with `/livez` and `/readyz`, on one port. */
export async function serveCore(core: Core, logger: Logger): Promise<OnePortServer> {
  const { host, port, max_message_size_mb } = core.config.server;
  const router = createConnectRouter({
    readMaxBytes: Math.round(max_message_size_mb * MEGABYTE),
    // Pixels and tensors do not compress enough to pay for it.
    acceptCompression: [],
  });
  router.service(InferenceService, createInferenceService(core, logger));
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  // As connectNodeAdapter does it, which reports callers that leave as failures, to the console.
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const handler = handlers.get(path);
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
  return listenOnOnePort((request, response) => void answer(request, response), host, port);
}

function answerPlain(core: Core, method: string, path: string, response: ServerResponse): void {
  const answers: Record<string, () => [number, string]> = {
    "/livez": () => [200, "live\n"],
    "/readyz": () => (core.isReady ? [200, "ready\n"] : [503, "no device is up\n"]),
  };
  const [status, text] = (method === "GET" && answers[path]?.()) || [
    404,
    "This is a mouthpiece core. It answers mouthpiece.inference.v1.InferenceService over Connect, gRPC-Web and gRPC, and GET /livez and /readyz.\n",
  ];
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}
