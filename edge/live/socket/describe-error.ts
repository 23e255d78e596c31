import type { Logger } from "../../../avatar/logger.ts";
import { toProblem } from "../../http/problem.ts";
import { RequestError } from "../../http/request-error.ts";
import { LiveError } from "../live-error.ts";
import { CLOSE_CODES, type ServerMessage } from "./server-message.ts";

/** RFC 6455, 5.5.1: a reason has 123 bytes at most. */
const MAX_REASON_BYTES = 120;

const LIVE_CODES: Record<LiveError["code"], number> = {
  refused: CLOSE_CODES.refused,
  no_session: CLOSE_CODES.noSession,
  ended: CLOSE_CODES.noSession,
  too_many: CLOSE_CODES.tooMany,
  no_format: CLOSE_CODES.badMessage,
  bad_message: CLOSE_CODES.badMessage,
  too_much_speech: CLOSE_CODES.failed,
  old_epoch: CLOSE_CODES.failed,
  unavailable: CLOSE_CODES.failed,
};

/** With what a connection ends that cannot go on. */
export function closeCodeOf(error: unknown): number {
  if (error instanceof LiveError) return LIVE_CODES[error.code];
  if (!(error instanceof RequestError)) return CLOSE_CODES.failed;
  return error.status === 429 ? CLOSE_CODES.tooMany : CLOSE_CODES.refused;
}

/** What a client is told. A defect of ours is not described to strangers. */
export function describeError(
  error: unknown,
  { requestId, logger }: { readonly requestId: string; readonly logger: Logger },
): Extract<ServerMessage, { type: "error" }> {
  if (error instanceof LiveError) {
    const { code, message, retryAfterS } = error;
    const retry = retryAfterS === undefined ? {} : { retryAfterS };
    return { type: "error", code, message, ...retry };
  }
  const { detail, status, retryAfterS } = toProblem(error, requestId);
  if (status >= 500) logger.error("a live connection failed", { requestId, error: String(error) });
  const retry = retryAfterS === undefined ? {} : { retryAfterS };
  return { type: "error", code: codeOf(status), message: detail, ...retry };
}

export function closeReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason).subarray(0, MAX_REASON_BYTES);
  // What was cut in the middle of a character is left out.
  return new TextDecoder().decode(bytes).replaceAll("\uFFFD", "");
}

function codeOf(status: number): LiveError["code"] {
  if (status === 401 || status === 403) return "refused";
  if (status === 429) return "too_many";
  return status === 404 ? "no_session" : "unavailable";
}
