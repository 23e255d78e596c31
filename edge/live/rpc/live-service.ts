import {
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  type HandlerContext,
} from "@connectrpc/connect";
import type { Logger } from "../../../avatar/logger.ts";
import { LiveService } from "../../../proto/gen/mouthpiece/live/v1/live_pb.js";
import { bearerOf } from "../../access/bearer.ts";
import { FORWARDED } from "../../http/authorise.ts";
import { toConnectError } from "../../http/connect-error.ts";
import { toProblem } from "../../http/problem.ts";
import { RequestError } from "../../http/request-error.ts";
import type { EdgeVariables } from "../../http/variables.ts";
import { MAX_BINARY_BYTES } from "../socket/client-message.ts";
import { type Joined, type JoinOptions, joinSession } from "../socket/join-session.ts";
import { SpeakerCall } from "./speaker-call.ts";

export interface LiveServiceOptions extends JoinOptions {
  readonly logger: Logger;
}

/** What a call is known by before its handler runs. Who calls, the handler finds out. */
export type LiveCallIdentity = Pick<EdgeVariables, "requestId" | "trace">;

export const liveCallKey = createContextKey<LiveCallIdentity>({
  requestId: "",
  trace: undefined,
});

/**
 * `LiveService`, over gRPC alone: both sides speak at the same time, which
 * takes HTTP/2 from end to end. No browser has that, and no Worker.
 */
export function createLiveRouter(options: LiveServiceOptions): ConnectRouter {
  const { logger } = options;
  const router = createConnectRouter({
    ...{ grpc: true, grpcWeb: false, connect: false },
    readMaxBytes: MAX_BINARY_BYTES,
    acceptCompression: [],
  });
  return router.service(LiveService, {
    async *pushSpeech(requests, context) {
      const identity = context.values.get(liveCallKey);
      const { requestId } = identity;
      try {
        const joined = await join(options, context, requestId);
        const explain = (error: unknown) => toProblem(error, requestId).detail;
        yield* new SpeakerCall({ joined, requests, signal: context.signal, explain }).run();
      } catch (error) {
        throw toConnectError(error, identity, logger);
      }
    },
  });
}

/** @throws RequestError, LiveError */
async function join(
  options: LiveServiceOptions,
  { requestHeader }: HandlerContext,
  requestId: string,
): Promise<Joined> {
  const token = bearerOf(requestHeader.get("authorization") ?? "");
  if (token === undefined) {
    throw new RequestError(401, "send the session's speaker token: authorization: Bearer ...");
  }
  // No browser speaks gRPC: whatever origin there is was made up.
  const isForwarded = FORWARDED.some((name) => requestHeader.has(name));
  const surroundings = { origin: null, isSameOrigin: true, isForwarded };
  const joined = await joinSession(options, null, token, surroundings, "speaker");
  await options.access.count(joined.caller, requestId);
  const { session } = joined.known;
  options.logger.info("live session joined", { requestId, session: session.id, role: joined.role });
  return joined;
}
