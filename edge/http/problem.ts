import { AvatarError, type AvatarErrorCode } from "../../avatar/avatar-error.ts";
import { ImageError } from "../../avatar/image/image-error.ts";
import { AudioError } from "../audio/audio-error.ts";
import { PreparedFrameError } from "../compositor/prepared-frame-error.ts";
import { CoreCallError, type CoreCallErrorCode } from "../core/core-client.ts";
import { LiveError, type LiveErrorCode } from "../live/live-error.ts";
import { VideoEncoderError } from "../speak/whole-frame-encoder.ts";
import { RequestError } from "./request-error.ts";

/** Problem details as RFC 9457 defines them, with the id of the request. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly requestId: string;
  /** Seconds for `Retry-After`; not part of the body. */
  readonly retryAfterS: number | undefined;
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

const AVATAR_STATUS: Record<AvatarErrorCode, number> = {
  invalid_id: 404,
  not_found: 404,
  invalid_avatar: 500,
  damaged: 503,
  invalid_source: 500,
  store_unavailable: 503,
};

const CORE_STATUS: Record<CoreCallErrorCode, number> = {
  unreachable: 503,
  unavailable: 503,
  access: 503,
  busy: 503,
  model: 502,
  timeout: 504,
  cancelled: 499,
  internal: 502,
};

const LIVE_STATUS: Record<LiveErrorCode, number> = {
  ended: 404,
  no_session: 404,
  too_many: 429,
  too_much_speech: 400,
  old_epoch: 400,
  no_format: 400,
  bad_message: 400,
  refused: 401,
  unavailable: 503,
};

/** Which setting is wrong, and where the cores are, is nobody's business but the operator's. */
const FOR_STRANGERS: Partial<Record<CoreCallErrorCode, string>> = {
  access: "the core does not let this edge in: its log says why",
  unreachable: "no core answers: is it running? The edge's log has more",
};

const RETRY_AFTER_S = 2;

/** What a client is told of `error`. A defect of ours is not described to strangers. */
export function toProblem(error: unknown, requestId: string): Problem {
  const { status, detail, retryAfterS } = describe(error);
  return {
    type: "about:blank",
    title: TITLES[status] ?? "Error",
    status,
    detail,
    requestId,
    retryAfterS,
  };
}

export function problemJson({ retryAfterS: _, ...body }: Problem): string {
  return JSON.stringify(body);
}

export function problemResponse(problem: Problem): Response {
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
  });
  if (problem.retryAfterS !== undefined) headers.set("retry-after", String(problem.retryAfterS));
  // RFC 6750, 3
  if (problem.status === 401) headers.set("www-authenticate", 'Bearer realm="mouthpiece"');
  return new Response(problemJson(problem), { status: problem.status, headers });
}

function describe(error: unknown): { status: number; detail: string; retryAfterS?: number } {
  if (error instanceof RequestError) {
    const { status, message, retryAfterS } = error;
    return { status, detail: message, ...(retryAfterS !== undefined && { retryAfterS }) };
  }
  if (error instanceof AudioError) {
    return { status: audioStatus(error.code), detail: error.message };
  }
  if (error instanceof AvatarError) return withRetry(AVATAR_STATUS[error.code], error.message);
  if (error instanceof VideoEncoderError) {
    return withRetry(error.code === "timeout" ? 503 : 500, error.message);
  }
  if (error instanceof PreparedFrameError) return { status: 500, detail: error.message };
  if (error instanceof ImageError) {
    return { status: 500, detail: `a published frame cannot be read: ${error.message}` };
  }
  if (error instanceof CoreCallError) {
    return withRetry(CORE_STATUS[error.code], FOR_STRANGERS[error.code] ?? error.message);
  }
  if (error instanceof LiveError) {
    const { code, message, retryAfterS } = error;
    const detail = message;
    return { status: LIVE_STATUS[code], detail, ...(retryAfterS !== undefined && { retryAfterS }) };
  }
  return { status: 500, detail: "an error on our side: the log has more under this request id" };
}

function audioStatus(code: AudioError["code"]): number {
  if (code === "unsupported_type") return 415;
  return code === "too_long" ? 413 : 400;
}

function withRetry(status: number, detail: string) {
  return status === 503 ? { status, detail, retryAfterS: RETRY_AFTER_S } : { status, detail };
}
