import type { Context } from "hono";
import { refuseSecretsIn, surroundingsOf } from "../http/authorise.ts";
import { RequestError } from "../http/request-error.ts";
import type { EdgeVariables } from "../http/variables.ts";
import { type Joined, type JoinOptions, joinSession } from "../live/socket/join-session.ts";

/**
 * Joins the session `:sid` with its own token, which is the bearer.
 * @throws RequestError 400, 401, 403, 429; LiveError; AvatarError
 */
export async function joinByBearer(
  c: Context<{ Variables: EdgeVariables }>,
  options: JoinOptions,
): Promise<Joined> {
  refuseSecretsIn(c.req.url);
  const bearer = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (bearer === undefined) {
    throw new RequestError(401, "send the session's join token: Authorization: Bearer ...");
  }
  const surroundings = surroundingsOf((name) => c.req.header(name), c.req.url);
  const joined = await joinSession(options, c.req.param("sid") ?? "", bearer, surroundings);
  c.set("caller", joined.caller);
  await options.access.count(joined.caller, c.get("requestId"));
  return joined;
}

/** @throws RequestError 403 */
export function mustWatch({ role }: Joined): void {
  if (role !== "viewer") throw new RequestError(403, "this token speaks, and does not watch");
}
