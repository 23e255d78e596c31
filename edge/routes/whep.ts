import { Hono } from "hono";
import type { Logger } from "../../avatar/logger.ts";
import { callerFields } from "../access/caller.ts";
import { RequestError } from "../http/request-error.ts";
import type { EdgeVariables } from "../http/variables.ts";
import type { JoinOptions } from "../live/socket/join-session.ts";
import {
  answerOffer,
  describeIceServers,
  endPeer,
  takeCandidates,
  type WhepOptions,
} from "../live/whep/whep.ts";
import type { Composers } from "../speak/composers.ts";
import { joinByBearer, mustWatch } from "./join-by-bearer.ts";

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
  const { composers, logger } = options;
  const app = new Hono<{ Variables: EdgeVariables }>();
  /** By the session's id. */
  const peers = new Map<string, Set<string>>();

  const open = (): WhepOptions => {
    if (options.whep) return options.whep;
    throw new RequestError(
      404,
      "this edge has no WebRTC: watch over the WebSocket, or give an edge on Node a `webrtc` section",
    );
  };

  app.post("/:sid/whep", async (c) => {
    const whep = open();
    const joined = await joinByBearer(c, options);
    mustWatch(joined);
    const { caller, tokenId } = joined;
    const { session } = joined.known;
    if (!composers.has(session.avatar, "h264")) {
      throw new RequestError(
        406,
        `${session.avatar.summary.id} has no video, and WebRTC nothing else: publish it with --formats h264, or watch over the WebSocket`,
      );
    }
    const own = peers.get(session.id) ?? new Set();
    const attach = (viewer: Parameters<typeof session.attach>[0]) => session.attach(viewer);
    const answer = await answerOffer(whep, c.req.raw, attach, (id) => {
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
    const whep = open();
    const { tokenId } = await joinByBearer(c, options);
    return describeIceServers(whep, tokenId);
  });

  app.on(["PATCH", "DELETE"], "/:sid/whep/:peer", async (c) => {
    const whep = open();
    const { known } = await joinByBearer(c, options);
    const id = c.req.param("peer");
    const isKnown = peers.get(known.session.id)?.has(id);
    if (!isKnown) throw new RequestError(404, "there is no such peer, or no more");
    if (c.req.method === "PATCH") return takeCandidates(c.req.raw);
    peers.get(known.session.id)?.delete(id);
    return endPeer(whep, id);
  });

  return app;
}
