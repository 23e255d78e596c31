import { Code, ConnectError, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.js";
import type { Access } from "../access/access.ts";
import type { Drain } from "./drain.ts";

/**
 * Looks at each call before its first message is read.
 * @throws ConnectError UNAUTHENTICATED or UNAVAILABLE, which reaches the caller in its own protocol
 */
export function createGate(access: Access, drain: Drain): (context: HandlerContext) => void {
  return ({ requestHeader, responseHeader, method }) => {
    const authorization = requestHeader.get("authorization");
    if (!access.allows(authorization)) {
      responseHeader.set("www-authenticate", "Bearer");
      const what = authorization === null ? "there is no token" : "the token is not valid";
      throw new ConnectError(
        `${what}: send "authorization: Bearer ..." with a token of the core's server.token_file`,
        Code.Unauthenticated,
      );
    }
    // A balancer learns from Check that the core drains.
    if (method !== Health.method.check) drain.closing.throwIfAborted();
  };
}

/** Tells who is cut at the end of a drain so, whatever became of the work. */
export function createCutInterceptor(cut: AbortSignal): Interceptor {
  const reasonOf = (error: unknown) => (cut.aborted ? cut.reason : error);
  return (next) => async (request) => {
    try {
      const response = await next(request);
      if (!response.stream) return response;
      return { ...response, message: toldWhy(response.message, reasonOf) };
    } catch (error) {
      throw reasonOf(error);
    }
  };
}

async function* toldWhy<T>(
  messages: AsyncIterable<T>,
  reasonOf: (error: unknown) => unknown,
): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw reasonOf(error);
  }
}
