import type { Clock } from "../../../avatar/clock.ts";
import type { Logger } from "../../../avatar/logger.ts";
import { callerFields } from "../../access/caller.ts";
import { refuseSecretsIn, surroundingsOf } from "../../http/authorise.ts";
import { problemResponse, toProblem } from "../../http/problem.ts";
import { RequestError } from "../../http/request-error.ts";
import type { Composers } from "../../speak/composers.ts";
import { type JoinOptions, joinSession } from "./join-session.ts";
import { LiveConnection } from "./live-connection.ts";
import type { UpgradeSocket } from "./live-socket.ts";
import type { ParticipantOptions } from "./participant-options.ts";

/** Ids of sessions are UUIDs. */
const SOCKET_PATH = /^\/v1\/sessions\/([A-Za-z0-9-]{1,64})\/socket$/;

export interface LiveSocketsOptions extends JoinOptions {
  readonly composers: Composers;
  readonly openCoder: ParticipantOptions["openCoder"];
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Answers requests for a WebSocket. Who asks is looked at when he joins: a
 * page cannot send a token with such a request but in its URL.
 */
export function createLiveSockets(options: LiveSocketsOptions) {
  const { access, clock, logger, composers, sessions } = options;
  return (request: Request, upgrade: UpgradeSocket): Response | Promise<Response> => {
    const requestId = crypto.randomUUID();
    try {
      refuseSecretsIn(request.url);
      const { pathname } = new URL(request.url);
      const id = SOCKET_PATH.exec(pathname)?.[1];
      if (id === undefined) throw new RequestError(404, "there is no WebSocket at this path");
      const surroundings = surroundingsOf(
        (name) => request.headers.get(name) ?? undefined,
        request.url,
      );
      return upgrade(
        (socket) =>
          new LiveConnection(socket, {
            clock,
            logger,
            requestId,
            participants: {
              clock,
              logger,
              settings: sessions.settings,
              openCoder: options.openCoder,
              canShow: (avatar, format) => composers.has(avatar, format),
              explain: (error) => toProblem(error, requestId).detail,
            },
            async join(token) {
              const joined = await joinSession(options, id, token, surroundings);
              await access.count(joined.caller, requestId);
              const { role, caller } = joined;
              const fields = { requestId, session: id, role, ...callerFields(caller) };
              logger.info("live session joined", fields);
              return joined;
            },
          }),
      );
    } catch (error) {
      return problemResponse(toProblem(error, requestId));
    }
  };
}
