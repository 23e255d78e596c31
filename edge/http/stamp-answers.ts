import type { Context, MiddlewareHandler } from "hono";
import type { Access } from "../access/access.ts";
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
  "link",
  "location",
  "retry-after",
  "x-request-id",
].join(",");
const PREFLIGHT_AGE_S = 7200;

type EdgeContext = Context<{ Variables: EdgeVariables }>;

/**
 * Gives each request an id, its caller's where there is one, and says which
 * pages may read the answer (Fetch standard, CORS protocol): every page where
 * nobody has to say who he is, those of the tenant elsewhere. Nothing here
 * rests on cookies.
 *
 * Headers are set on the answer that is there. Hono's own middleware makes
 * another one, whose body is a stream: on Node that halves the requests per
 * second.
 */
export function stampAnswers(access: Access): MiddlewareHandler<{ Variables: EdgeVariables }> {
  return async (c, next) => {
    const given = c.req.header("x-request-id") ?? "";
    const requestId = isRequestId(given) ? given : crypto.randomUUID();
    c.set("requestId", requestId);
    const isPreflight =
      c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined;
    if (isPreflight) return answerPreflight(c, access, requestId);
    await next();
    const { headers } = c.res;
    headers.set("x-request-id", requestId);
    const allowed = pagesThatMayRead(c, access);
    if (allowed !== "*") headers.append("vary", "origin");
    if (allowed === null) return undefined;
    headers.set("access-control-allow-origin", allowed);
    headers.set("access-control-expose-headers", EXPOSED);
    return undefined;
  };
}

export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text);
}

function answerPreflight(c: EdgeContext, access: Access, requestId: string): Response {
  // No key comes with it: what counts is whether any tenant knows the page.
  const origin = c.req.header("origin") ?? "";
  const wanted = c.req.header("access-control-request-headers");
  const headers: Record<string, string> = {
    ...(access.knowsOrigin(origin) && {
      "access-control-allow-origin": access.isOpen ? "*" : origin,
      "access-control-allow-methods": "GET,HEAD,POST,PATCH,DELETE",
      "access-control-max-age": String(PREFLIGHT_AGE_S),
      ...(wanted !== undefined && { "access-control-allow-headers": wanted }),
    }),
    vary: "origin,access-control-request-headers",
    "x-request-id": requestId,
  };
  return c.body(null, 204, headers);
}

/** Null for none. */
function pagesThatMayRead(c: EdgeContext, access: Access): string | null {
  const caller = c.get("caller");
  // The page itself and the probes are everybody's; a refusal is read by pages that a tenant names.
  if (access.isOpen || (!caller && c.res.ok)) return "*";
  const origin = c.req.header("origin");
  if (origin === undefined) return null;
  const mayRead = caller?.tenant ? caller.tenant.allowsOrigin(origin) : access.knowsOrigin(origin);
  return mayRead ? origin : null;
}
