import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "../../avatar/logger.ts";
import { CoreError, type CoreErrorCode } from "../core-error.ts";

const CODES: Record<CoreErrorCode, Code> = {
  invalid_argument: Code.InvalidArgument,
  not_found: Code.NotFound,
  failed_precondition: Code.FailedPrecondition,
  resource_exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  device_lost: Code.Unavailable,
  deadline_exceeded: Code.DeadlineExceeded,
  cancelled: Code.Canceled,
  internal: Code.Internal,
};

/** What a caller is told. Defects are logged in full and told without their insides. */
export function toConnectError(error: unknown, logger: Logger): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof CoreError && error.code !== "internal") {
    return new ConnectError(error.message, CODES[error.code], retryHint(error), undefined, error);
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  logger.error("internal error", { error: stack });
  return new ConnectError("internal error: the core's log says more", Code.Internal);
}

/** For HTTP clients in seconds (RFC 9110, 10.2.3), for gRPC clients as their retry policy reads it (gRFC A6). */
function retryHint({ retryAfterMs }: CoreError): Record<string, string> | undefined {
  if (retryAfterMs === null) return undefined;
  return {
    "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
    "grpc-retry-pushback-ms": String(Math.ceil(retryAfterMs)),
  };
}
