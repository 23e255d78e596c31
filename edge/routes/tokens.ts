import { Hono } from "hono";
import * as z from "zod";
import type { Access } from "../access/access.ts";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import { readJson } from "../http/read-json.ts";
import { RequestError } from "../http/request-error.ts";
import { callerOf, type EdgeVariables } from "../http/variables.ts";

const DEFAULT_LIFETIME_S = 600;
const MIN_LIFETIME_S = 10;

/** `POST /v1/tokens`: with an API key, a short-lived token for a viewer's page. */
export function tokenRoutes(
  access: Access,
  directory: AvatarDirectory,
): Hono<{ Variables: EdgeVariables }> {
  const app = new Hono<{ Variables: EdgeVariables }>();
  const longest = access.maxLifetimeS;
  const bodySchema = z.strictObject({
    avatar: z.string().max(200).optional(),
    expires_in: z
      .int()
      .min(MIN_LIFETIME_S)
      .max(longest)
      .default(Math.min(DEFAULT_LIFETIME_S, longest)),
  });

  app.post("/", async (c) => {
    const caller = callerOf(c);
    const body = bodySchema.safeParse(await readJson(c.req.raw));
    if (!body.success) {
      const [issue] = body.error.issues;
      throw new RequestError(
        400,
        `${issue?.path.join(".") || "the body"}: ${issue?.message}: send {"avatar": ID, "expires_in": SECONDS}, either may be left out`,
      );
    }
    const { avatar, expires_in } = body.data;
    // Better told now than to the viewer.
    if (avatar !== undefined) await directory.get(avatar, caller);
    const requestId = c.get("requestId");
    const issued = await access.issueToken(caller, avatar ?? null, expires_in, requestId);
    return c.json(
      {
        token: issued.token,
        expires: new Date(issued.expiresAtS * 1000).toISOString(),
        ...(avatar !== undefined && { avatar }),
      },
      201,
      { "cache-control": "no-store" },
    );
  });

  return app;
}
