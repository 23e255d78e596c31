import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createContextValues } from "@connectrpc/connect";
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { noTracing, type Tracing } from "../../avatar/tracing/tracing.ts";
import {
  type CompositingOptions,
  callIdentityKey,
  createCompositingRouter,
} from "../routes/compositing.ts";

/** `application/grpc` and its codecs, but not gRPC-Web, which needs no trailers. */
const GRPC = /^application\/grpc(?:\+[a-z]+)?(?:;|$)/;
const REQUEST_ID = /^[A-Za-z0-9_=-]{1,255}$/;

/**
 * Answers gRPC, which no `Response` can carry for want of trailers, and leaves
 * everything else to `others`.
 */
export function createGrpcListener(
  options: CompositingOptions,
  others: RequestListener,
  tracing: Tracing = noTracing,
): RequestListener {
  const { logger } = options;
  const router = createCompositingRouter(options, { grpc: true });
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const handler = handlers.get((request.url ?? "").split("?")[0] ?? "");
    // gRPC's own answer to a method that nobody implements.
    if (!handler) {
      response.writeHead(200, { "content-type": "application/grpc", "grpc-status": "12" }).end();
      return;
    }
    let signal: AbortSignal | null = null;
    try {
      const call = universalRequestFromNodeRequest(request, response, undefined, undefined);
      signal = call.signal;
      const id = call.header.get("x-request-id") ?? "";
      const contextValues = createContextValues().set(callIdentityKey, {
        requestId: REQUEST_ID.test(id) ? id : randomUUID(),
        trace: tracing.isOn ? tracing.extract(call.header) : undefined,
      });
      await universalResponseToNodeResponse(await handler({ ...call, contextValues }), response);
    } catch (error) {
      if (signal?.aborted) return;
      logger.error("an answer could not be sent", { path: request.url, error: String(error) });
      response.destroy();
    }
  }

  return (request, response) => {
    const isGrpc =
      request.httpVersionMajor === 2 && GRPC.test(request.headers["content-type"] ?? "");
    if (isGrpc) void answer(request, response);
    else others(request, response);
  };
}
