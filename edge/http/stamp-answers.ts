import type { MiddlewareHandler } from "hono";
import type { EdgeVariables } from "./variables.ts";

/** As long and as simple as a log line can bear; anything else is replaced. */
const REQUEST_ID = /^[A-Za-z0-9_=-]{1,255}$/;
/** What a page may read beside the headers that every page may. */
const EXPOSED = [
  "content-range",
  "etag",
  "grpc-message",
  "grpc-status",
  "grpc-status-details-bin",
  "retry-after",
  "x-request-id",
].join(",");
const PREFLIGHT_AGE_S = 7200;

/**
 * Gives each request an id, its caller's where there is one, and lets any page
 * read the answer: nothing here rests on cookies (Fetch standard, CORS protocol).
 *
 * Headers are set on the answer that is there. Hono's own middleware makes
 * another one, whose body is a stream: on Node that halves the requests per
 * second.
 */
export function stampAnswers(): MiddlewareHandler<{ Variables: EdgeVariables }> {
  return async (c, next) => {
    const given = c.req.header("x-request-id") ?? "";
    const requestId = REQUEST_ID.test(given) ? given : crypto.randomUUID();
    c.set("requestId", requestId);
    const isPreflight =
      c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined;
    if (isPreflight) {
      const wanted = c.req.header("access-control-request-headers");
      const headers: Record<string, string> = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET,HEAD,POST,DELETE",
        "access-control-max-age": String(PREFLIGHT_AGE_S),
        vary: "access-control-request-headers",
        "x-request-id": requestId,
        ...(wanted !== undefined && { "access-control-allow-headers": wanted }),
      };
      return c.body(null, 204, headers);
    }
    await next();
    const { headers } = c.res;
    headers.set("x-request-id", requestId);
    headers.set("access-control-allow-origin", "*");
    headers.set("access-control-expose-headers", EXPOSED);
    return undefined;
  };
}
