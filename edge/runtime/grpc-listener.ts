import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { withoutEndlessTimeouts } from "../../avatar/endless-timeouts.ts";
import { noTracing, type Tracing } from "../../avatar/tracing/tracing.ts";
import type { EdgeApp } from "../app.ts";
import { FORWARDED, isCounted, refuseSecretsIn } from "../http/authorise.ts";
import { toConnectError } from "../http/connect-error.ts";
import { toProblem } from "../http/problem.ts";
import { refuseCall } from "../http/refuse-call.ts";
import { isRequestId } from "../http/stamp-answers.ts";
import { createLiveRouter, type LiveCallIdentity, liveCallKey } from "../live/rpc/live-service.ts";
import { boundCall, createCompositingRouter } from "../routes/compositing.ts";

/** `application/grpc` and its codecs, but not gRPC-Web, which needs no trailers. */
const GRPC_TYPE = "application/grpc";
const GRPC = /^application\/grpc(?:\+[a-z]+)?(?:;|$)/;

/**
 * Answers gRPC, which no `Response` can carry for want of trailers, and leaves
 * everything else to `others`.
 */
export function createGrpcListener(
  { compositing, liveService }: Pick<EdgeApp, "compositing" | "liveService">,
  others: RequestListener,
  tracing: Tracing = noTracing,
): RequestListener {
  const { access, logger } = compositing;
  const { handlers: ordinary } = createCompositingRouter(compositing, { grpc: true });
  const { handlers: live } = createLiveRouter(liveService);
  const handlers = new Map([...ordinary, ...live].map((each) => [each.requestPath, each]));
  /** Calls that come with a token of their session, which their handlers look at. */
  const withJoinTokens = new Set(live.map(({ requestPath }) => requestPath));

  /** The call as its handler takes it. @throws RequestError */
  async function accept(call: UniversalServerRequest, known: LiveCallIdentity) {
    if (withJoinTokens.has(new URL(call.url).pathname)) {
      refuseSecretsIn(call.url);
      const header = withoutEndlessTimeouts(call.header);
      // A speaker may be silent: its session says for how long.
      return { ...call, header, contextValues: createContextValues().set(liveCallKey, known) };
    }
    return boundCall(compositing, call, { ...known, caller: await admit(call, known.requestId) });
  }

  /** @throws RequestError */
  async function admit({ url, header }: UniversalServerRequest, requestId: string) {
    refuseSecretsIn(url);
    // No browser speaks gRPC: whatever origin there is was made up.
    const credentials = {
      authorization: header.get("authorization"),
      origin: null,
      isSameOrigin: true,
      isForwarded: FORWARDED.some((name) => header.has(name)),
    };
    const caller = await access.admit(credentials, requestId);
    if (isCounted(new URL(url).pathname)) await access.count(caller, requestId);
    return caller;
  }

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
      const known = {
        requestId: isRequestId(id) ? id : randomUUID(),
        trace: tracing.isOn ? tracing.extract(call.header) : undefined,
      };
      let accepted: UniversalServerRequest;
      try {
        accepted = await accept(call, known);
      } catch (error) {
        const { status } = toProblem(error, known.requestId);
        const refusal = refuseCall(GRPC_TYPE, status, toConnectError(error, known, logger));
        response.writeHead(refusal.status, Object.fromEntries(refusal.headers)).end();
        return;
      }
      await universalResponseToNodeResponse(await handler(accepted), response);
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
