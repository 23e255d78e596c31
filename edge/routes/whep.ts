import { type Context, Hono } from "hono";
import type { Logger } from "../../avatar/logger.ts";
import { callerFields } from "../access/caller.ts";
import { refuseSecretsIn, surroundingsOf } from "../http/authorise.ts";
import { RequestError } from "../http/request-error.ts";
import type { EdgeVariables } from "../http/variables.ts";
import { type Joined, type JoinOptions, joinSession } from "../live/socket/join-session.ts";
import {
  answerOffer,
  describeIceServers,
  endPeer,
  takeCandidates,
  type WhepOptions,
} from "../live/whep/whep.ts";
import type { Composers } from "../speak/composers.ts";

export interface WhepRoutesOptions extends JoinOptions {
  /** Null where the runtime or the configuration has no WebRTC. */
  readonly whep: WhepOptions | null;
  readonly composers: Composers;
  readonly logger: Logger;
}

/** Peers of a session that are remembered, so that its token ends them and no other does. */
const MAX_PEERS = 64;

/**
 * `/v1/sessions/{sid}/whep`: a session's picture and sound over WebRTC
 * (draft-ietf-wish-whep). The bearer is the session's own join token.
 */
export function whepRoutes(options: WhepRoutesOptions): Hono<{ Variables: EdgeVariables }> {
  const { whep, access, composers, logger } = options;
  const app = new Hono<{ Variables: EdgeVariables }>();
  /** By the session's id. */
  const peers = new Map<string, Set<string>>();

  const join = async (c: Context<{ Variables: EdgeVariables }>): Promise<Joined> => {
    refuseSecretsIn(c.req.url);
    const bearer = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (bearer === undefined) {
      throw new RequestError(401, "send the session's join token: Authorization: Bearer ...");
    }
    const surroundings = surroundingsOf((name) => c.req.header(name), c.req.url);
    const joined = await joinSession(options, c.req.param("sid") ?? "", bearer, surroundings);
    c.set("caller", joined.caller);
    await access.count(joined.caller, c.get("requestId"));
    return joined;
  };
  const open = (): WhepOptions => {
    if (whep) return whep;
    throw new RequestError(
      404,
      "this edge has no WebRTC: watch over the WebSocket, or give an edge on Node a `webrtc` section",
    );
  };

  app.post("/:sid/whep", async (c) => {
    const options = open();
    const { known, role, caller, tokenId } = await join(c);
    if (role !== "viewer") throw new RequestError(403, "this token speaks, and does not watch");
    const { session } = known;
    if (!composers.has(session.avatar, "h264")) {
      throw new RequestError(
        406,
        `${session.avatar.summary.id} has no video, and WebRTC nothing else: publish it with --formats h264, or watch over the WebSocket`,
      );
    }
    const own = peers.get(session.id) ?? new Set();
    const attach = (viewer: Parameters<typeof session.attach>[0]) => session.attach(viewer);
    const answer = await answerOffer(options, c.req.raw, attach, (id) => {
      if (own.size === 0) {
        peers.set(session.id, own);
        session.listen({ ended: () => peers.delete(session.id) });
      }
      if (own.size >= MAX_PEERS) own.delete(own.values().next().value ?? "");
      own.add(id);
      return `/v1/sessions/${session.id}/whep/${id}`;
    });
    const requestId = c.get("requestId");
    const fields = { requestId, session: session.id, tokenId, ...callerFields(caller) };
    logger.info("live session joined by WebRTC", fields);
    return answer;
  });

  app.options("/:sid/whep", async (c) => {
    const options = open();
    const { tokenId } = await join(c);
    return describeIceServers(options, tokenId);
  });

  app.on(["PATCH", "DELETE"], "/:sid/whep/:peer", async (c) => {
    const options = open();
    const { known } = await join(c);
    const id = c.req.param("peer");
    const isKnown = peers.get(known.session.id)?.has(id);
    if (!isKnown) throw new RequestError(404, "there is no such peer, or no more");
    if (c.req.method === "PATCH") return takeCandidates(c.req.raw);
    peers.get(known.session.id)?.delete(id);
    return endPeer(options, id);
  });

  return app;
}
