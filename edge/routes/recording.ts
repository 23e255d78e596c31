import { Hono } from "hono";
import type { Logger } from "../../avatar/logger.ts";
import { callerFields } from "../access/caller.ts";
import { createMp4Stream, MP4_TYPE } from "../container/mp4-stream.ts";
import { RequestError } from "../http/request-error.ts";
import type { EdgeVariables } from "../http/variables.ts";
import { FilmViewer } from "../live/film-viewer.ts";
import type { JoinOptions } from "../live/socket/join-session.ts";
import type { Composers } from "../speak/composers.ts";
import { joinByBearer, mustWatch } from "./join-by-bearer.ts";

export interface RecordingRouteOptions extends JoinOptions {
  readonly composers: Composers;
  readonly logger: Logger;
}

/**
 * `GET /v1/sessions/{sid}/recording.mp4`: the session from now on, as a film,
 * until it ends or the reader leaves.
 */
export function recordingRoute(options: RecordingRouteOptions): Hono<{ Variables: EdgeVariables }> {
  const { composers, logger } = options;
  const app = new Hono<{ Variables: EdgeVariables }>();

  app.get("/:sid/recording.mp4", async (c) => {
    const joined = await joinByBearer(c, options);
    mustWatch(joined);
    const { session } = joined.known;
    const { id, width, height } = session.avatar.summary;
    if (!composers.has(session.avatar, "h264")) {
      throw new RequestError(406, `${id} has no video: publish it with --formats h264`);
    }
    const viewer = new FilmViewer((each) => session.attach(each));
    const fields = {
      requestId: c.get("requestId"),
      session: session.id,
      ...callerFields(joined.caller),
    };
    logger.info("live session is recorded", fields);
    async function* pictures() {
      try {
        yield* viewer.pictures();
      } finally {
        logger.info("live session is recorded no more", { ...fields, reason: viewer.endReason });
      }
    }
    const input = { width, height, pictures: pictures(), speech: viewer.speech() };
    const film = createMp4Stream(input, c.req.raw.signal);
    return new Response(film, {
      headers: { "content-type": MP4_TYPE, "cache-control": "no-store" },
    });
  });

  return app;
}
