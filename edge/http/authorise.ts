import type { Context, MiddlewareHandler } from "hono";
import type { Access, Credentials } from "../access/access.ts";
import { holdsApiKey } from "../access/api-key.ts";
import type { Caller } from "../access/caller.ts";
import { RequestError } from "./request-error.ts";
import type { EdgeVariables } from "./variables.ts";

/** Names under which people put keys into URLs, from where they get into logs and histories. */
const SECRET_PARAMETERS = ["access_token", "api_key", "apikey", "authorization", "key", "token"];
/** RFC 7239, and what proxies send that are older than it. */
export const FORWARDED = ["forwarded", "x-forwarded-for"];
const IDLE_FRAME = /^\/v1\/avatars\/[^/]+\/frames\/|\/GetIdleFrame$/;

type EdgeContext = Context<{ Variables: EdgeVariables }>;

/** Lets in whom `access` lets in. */
export function authorise(access: Access): MiddlewareHandler<{ Variables: EdgeVariables }> {
  return async (c, next) => {
    await admitRequest(c, access);
    return next();
  };
}

/** Finds out who asks and counts it. @throws RequestError 400, 401, 403, 429 */
export async function admitRequest(c: EdgeContext, access: Access): Promise<Caller> {
  const { url, path } = c.req;
  const requestId = c.get("requestId");
  refuseSecretsIn(url);
  const caller = await access.admit(credentialsOf(c), requestId);
  c.set("caller", caller);
  if (isCounted(path)) await access.count(caller, requestId);
  return caller;
}

/** A page fetches hundreds of idle frames when it starts, and they cost next to nothing. */
export function isCounted(path: string): boolean {
  return !IDLE_FRAME.test(path);
}

/** For what tells of all tenants. @throws RequestError 401, 403 */
export function authoriseOperator(access: Access): MiddlewareHandler<{ Variables: EdgeVariables }> {
  return async (c, next) => {
    refuseSecretsIn(c.req.url);
    const caller = await access.admit(credentialsOf(c), c.get("requestId"));
    if (caller.kind !== "operator" && caller.kind !== "anyone") {
      throw new RequestError(403, "this is for operators: use one of access.operator_keys");
    }
    c.set("caller", caller);
    return next();
  };
}

/**
 * For what shows how the edge is doing, inside: as `authoriseOperator`, and an
 * edge that asks nobody shows it to its own machine and its own pages alone. A
 * page of somebody else's that is open in the operator's browser is on his machine, too.
 * @throws RequestError 401, 403
 */
export function authoriseInsight(access: Access): MiddlewareHandler<{ Variables: EdgeVariables }> {
  const authoriseAll = authoriseOperator(access);
  return (c, next) =>
    authoriseAll(c, async () => {
      if (access.isOpen && !access.isForThisMachine) {
        throw new RequestError(
          403,
          "this edge is open to everybody, and has no operators to show this to: leave out access.open and name access.operator_keys",
        );
      }
      const { isSameOrigin } = credentialsOf(c);
      if (!isSameOrigin) throw new RequestError(403, "only the edge's own page may read this");
      await next();
    });
}

/** @throws RequestError 400 */
export function refuseSecretsIn(url: string): void {
  // Idle frames come by the thousand, and mostly without a query.
  const query = url.indexOf("?");
  const parameters = query < 0 ? null : new URLSearchParams(url.slice(query));
  const isSecret =
    holdsApiKey(url) || (parameters && SECRET_PARAMETERS.some((name) => parameters.has(name)));
  if (!isSecret) return;
  throw new RequestError(
    400,
    "keys and tokens do not belong into a URL, which others get to see: send Authorization: Bearer ...",
  );
}

function credentialsOf(c: EdgeContext): Credentials {
  const authorization = c.req.header("authorization") ?? null;
  return { authorization, ...surroundingsOf((name) => c.req.header(name), c.req.url) };
}

/** What of a request says who asks, beside what he says himself. */
export function surroundingsOf(
  header: (name: string) => string | undefined,
  url: string,
): Omit<Credentials, "authorization"> {
  const origin = header("origin") ?? null;
  return {
    origin,
    isForwarded: FORWARDED.some((name) => header(name) !== undefined),
    isSameOrigin: isSameOrigin(origin, header("sec-fetch-site"), url),
  };
}

/** Fetch Metadata says so, also behind a proxy that changes the host; older browsers do not send it. */
function isSameOrigin(origin: string | null, site: string | undefined, url: string): boolean {
  if (origin === null) return true;
  if (site !== undefined) return site === "same-origin";
  return URL.canParse(origin) && new URL(origin).host === new URL(url).host;
}
