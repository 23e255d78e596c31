import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "../../avatar/logger.ts";
import { traceFields } from "../../avatar/tracing/tracing.ts";
import { toProblem } from "./problem.ts";
import type { EdgeVariables } from "./variables.ts";

const CODES: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.NotFound,
  408: Code.DeadlineExceeded,
  413: Code.InvalidArgument,
  415: Code.InvalidArgument,
  429: Code.ResourceExhausted,
  499: Code.Canceled,
  500: Code.Internal,
  502: Code.Internal,
  503: Code.Unavailable,
  504: Code.DeadlineExceeded,
};

/** What a caller of an RPC is told of `error`: the same as one of HTTP. */
export function toConnectError(
  error: unknown,
  { requestId, trace }: Pick<EdgeVariables, "requestId" | "trace">,
  logger: Logger,
): ConnectError {
  // Deadlines and cancellations of the call itself.
  if (error instanceof ConnectError) return error;
  const { status, detail, retryAfterS } = toProblem(error, requestId);
  if (status >= 500) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logger.error("call failed", { requestId, ...traceFields(trace), error: what });
  }
  const metadata = new Headers({ "x-request-id": requestId });
  if (retryAfterS !== undefined) metadata.set("retry-after", String(retryAfterS));
  return new ConnectError(detail, CODES[status] ?? Code.Unknown, metadata);
}
