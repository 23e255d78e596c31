import type { IncomingMessage, ServerResponse } from "node:http";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Logger } from "../../avatar/logger.ts";
import { InferenceService } from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import type { Core } from "../core.ts";
import { createInferenceService } from "./inference-service.ts";
import { listenOnOnePort, type OnePortServer } from "./one-port-server.ts";

const MEGABYTE = 1024 * 1024;

/** Serves the core: Connect, gRPC-Web and gRPC, with `/livez` and `/readyz`, on one port. */
export async function serveCore(core: Core, logger: Logger): Promise<OnePortServer> {
  const { host, port, max_message_size_mb } = core.config.server;
  const rpc = connectNodeAdapter({
    routes: (router) => router.service(InferenceService, createInferenceService(core, logger)),
    readMaxBytes: Math.round(max_message_size_mb * MEGABYTE),
    // Pixels and tensors do not compress enough to pay for it.
    acceptCompression: [],
    fallback: (request, response) => {
      // Without HTTP/2's pseudo-headers the two kinds of messages are the same here.
      answerPlain(core, request as IncomingMessage, response as ServerResponse);
    },
  });
  return listenOnOnePort(rpc, host, port);
}

function answerPlain(core: Core, request: IncomingMessage, response: ServerResponse): void {
  const answers: Record<string, () => [number, string]> = {
    "/livez": () => [200, "live\n"],
    "/readyz": () => (core.isReady ? [200, "ready\n"] : [503, "no device is up\n"]),
  };
  const path = (request.url ?? "").split("?")[0] ?? "";
  const answer = request.method === "GET" ? answers[path] : undefined;
  const [status, text] = answer?.() ?? [
    404,
    "This is a mouthpiece core. It answers mouthpiece.inference.v1.InferenceService over Connect, gRPC-Web and gRPC, and GET /livez and /readyz.\n",
  ];
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}
