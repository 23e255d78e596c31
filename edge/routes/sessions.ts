import { Hono } from "hono";
import * as z from "zod";
import type { Caller } from "../access/caller.ts";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import { readJson } from "../http/read-json.ts";
import { RequestError } from "../http/request-error.ts";
import { callerOf, type EdgeVariables } from "../http/variables.ts";
import type { JoinRole, JoinTokens } from "../live/join-tokens.ts";
import type { KnownSession, LiveSessions } from "../live/live-sessions.ts";
import { PROTOCOL_VERSION } from "../live/socket/client-message.ts";

export interface SessionRoutesOptions {
  readonly directory: AvatarDirectory;
  readonly sessions: LiveSessions;
  readonly tokens: JoinTokens;
  readonly hasWebRtc: boolean;
}

const roleSchema = z.strictObject({ role: z.enum(["viewer", "speaker"]).default("viewer") });
const NO_STORE = { "cache-control": "no-store" };

/** `/v1/avatars/{id}/sessions` and `/v1/sessions`: live sessions as things that are made and ended. */
export function sessionRoutes(options: SessionRoutesOptions): Hono<{ Variables: EdgeVariables }> {
  const { directory, sessions, tokens, hasWebRtc } = options;
  const app = new Hono<{ Variables: EdgeVariables }>();
  const issue = (known: KnownSession, role: JoinRole) =>
    tokens.issue({
      sessionId: known.session.id,
      avatarId: known.session.avatar.summary.id,
      tenantId: known.tenantId,
      role,
    });

  app.post("/avatars/:id/sessions", async (c) => {
    const caller = callerOf(c);
    const avatar = await directory.get(c.req.param("id"), caller);
    const known = sessions.open(crypto.randomUUID(), avatar, caller);
    const viewer = await issue(known, "viewer");
    const speaker = await issue(known, "speaker");
    const body = {
      ...describe(known, sessions),
      token: viewer.token,
      speakerToken: speaker.token,
      tokenExpires: new Date(1000 * viewer.expiresAtS).toISOString(),
      protocol: PROTOCOL_VERSION,
      urls: urlsOf(known, hasWebRtc),
    };
    return c.json(body, 201, { ...NO_STORE, location: `/v1/sessions/${known.session.id}` });
  });

  app.get("/sessions", (c) => {
    const caller = callerOf(c);
    mayManage(caller);
    const own = sessions.all().filter((known) => isOf(known, caller));
    return c.json({ sessions: own.map((known) => describe(known, sessions)) }, 200, NO_STORE);
  });

  app.get("/sessions/:sid", (c) => {
    const known = find(sessions, c.req.param("sid"), callerOf(c));
    return c.json({ ...describe(known, sessions), urls: urlsOf(known, hasWebRtc) }, 200, NO_STORE);
  });

  app.delete("/sessions/:sid", (c) => {
    find(sessions, c.req.param("sid"), callerOf(c)).session.end("deleted");
    return c.body(null, 204);
  });

  app.post("/sessions/:sid/tokens", async (c) => {
    const known = find(sessions, c.req.param("sid"), callerOf(c));
    const body = roleSchema.safeParse(await readJson(c.req.raw));
    if (!body.success) throw new RequestError(400, 'send {"role": "viewer"} or "speaker"');
    const { token, expiresAtS } = await issue(known, body.data.role);
    const expires = new Date(1000 * expiresAtS).toISOString();
    return c.json({ token, role: body.data.role, expires }, 201, NO_STORE);
  });

  app.get("/sessions/:sid/socket", () => {
    throw new RequestError(400, "this is a WebSocket: see docs/live-protocol.md");
  });

  return app;
}

/** @throws RequestError 403, 404 also for one that is another tenant's */
function find(sessions: LiveSessions, id: string, caller: Caller): KnownSession {
  mayManage(caller);
  const known = sessions.find(id);
  if (known && isOf(known, caller)) return known;
  const ended = sessions.whyEnded(id);
  const why = ended === undefined ? "it may have ended, or be elsewhere" : `it ended: ${ended}`;
  throw new RequestError(404, `there is no session ${id.slice(0, 64)} here: ${why}`);
}

/** A viewer's token is in the hands of strangers. @throws RequestError 403 */
function mayManage({ kind }: Caller): void {
  if (kind !== "token") return;
  throw new RequestError(403, "sessions are listed, read and ended with an API key");
}

function isOf({ tenantId }: KnownSession, { tenant, kind }: Caller): boolean {
  return kind !== "key" || tenantId === (tenant?.id ?? null);
}

function urlsOf({ session }: KnownSession, hasWebRtc: boolean) {
  const base = `/v1/sessions/${session.id}`;
  return { socket: `${base}/socket`, ...(hasWebRtc && { whep: `${base}/whep` }) };
}

function describe({ session, lifetime, createdAt }: KnownSession, { settings }: LiveSessions) {
  const { summary } = session.avatar;
  const { viewers, skippedFrames, lostFrames } = session.stats;
  return {
    id: session.id,
    avatar: summary.id,
    version: summary.version,
    created: new Date(createdAt).toISOString(),
    viewers,
    isSpeaking: session.isSpeaking,
    skippedFrames,
    lostFrames,
    remainingS: Math.round(lifetime.remainingMs / 1000),
    idleTimeoutS: settings.idle_timeout_s,
    resumeS: settings.resume_s,
  };
}
