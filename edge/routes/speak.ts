import { Hono } from "hono";
import type { Logger } from "../../avatar/logger.ts";
import { traceFields } from "../../avatar/tracing/tracing.ts";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import { megabytes, uploadTimes } from "../config.ts";
import { createMp4Stream, MP4_TYPE } from "../container/mp4-stream.ts";
import { limitBody } from "../http/limit-body.ts";
import { multipartStream, type Part } from "../http/multipart.ts";
import { problemJson, toProblem } from "../http/problem.ts";
import { readSpeechFormat, readStart } from "../http/query.ts";
import { callerOf, type EdgeVariables } from "../http/variables.ts";
import { CONTENT_TYPES, type FrameFormat } from "../speak/image-format.ts";
import { picturesOf } from "../speak/pictures-of.ts";
import type { SpokenFrame } from "../speak/speaker.ts";
import { startUtterance, type UtteranceOptions } from "../speak/utterance.ts";

const SHORTER = " (limits.max_body_mb): send shorter speech, or 16 kHz mono";

export interface SpeakRouteOptions extends UtteranceOptions {
  readonly directory: AvatarDirectory;
  readonly logger: Logger;
}

/** `POST /v1/avatars/{id}/speak`: speech in, a part per frame out, as they are made. */
export function speakRoute(options: SpeakRouteOptions): Hono<{ Variables: EdgeVariables }> {
  const { directory, limits, logger } = options;
  const bodyLimits = {
    maxBytes: megabytes(limits.max_body_mb),
    ...uploadTimes(options),
    advice: SHORTER,
  };
  const app = new Hono<{ Variables: EdgeVariables }>();

  app.post("/:id/speak", async (c) => {
    const requestId = c.get("requestId");
    const trace = c.get("trace");
    const format = readSpeechFormat(c.req.query("format"));
    const start = readStart(c.req.query("start"));
    const caller = callerOf(c);
    const avatar = await directory.get(c.req.param("id"), caller);
    const contentLength = c.req.header("content-length");
    const isFilm = format === "mp4";
    const { frames, speech, leave } = startUtterance(
      options,
      {
        caller,
        avatar,
        audio: limitBody(c.req.raw, bodyLimits),
        contentType: c.req.header("content-type") ?? "",
        contentLength: contentLength === undefined ? undefined : Number(contentLength),
        start,
        format: isFilm ? "h264" : format,
        signal: c.req.raw.signal,
        requestId,
        trace,
      },
      { speech: isFilm },
    );
    // What fails before the first frame still gets a status of its own.
    const first = await frames.next();

    async function* taken(): AsyncGenerator<SpokenFrame> {
      try {
        for (let step = first; !step.done; step = await frames.next()) yield step.value;
      } catch (error) {
        const fields = { requestId, ...traceFields(trace), error: String(error) };
        logger.error("speech broke off", fields);
        throw error;
      } finally {
        leave();
        await frames.return(undefined);
      }
    }
    if (isFilm) {
      const { width, height } = avatar.summary;
      const pictures = picturesOf(taken());
      const film = createMp4Stream({ width, height, pictures, speech }, c.req.raw.signal);
      return new Response(film, {
        headers: { "content-type": MP4_TYPE, "cache-control": "no-store" },
      });
    }
    const boundary = `frame-${crypto.randomUUID()}`;
    const stream = multipartStream(toParts(taken(), format), {
      boundary,
      lastPart: (error) => {
        const headers = { "Content-Type": "application/problem+json" };
        const problem = toProblem(error, requestId);
        return { headers, body: [new TextEncoder().encode(problemJson(problem))] };
      },
      onCancel: leave,
    });
    return new Response(stream, {
      headers: {
        "content-type": `multipart/mixed; boundary=${boundary}`,
        "cache-control": "no-store",
      },
    });
  });

  return app;
}

async function* toParts(
  frames: AsyncIterable<SpokenFrame>,
  format: FrameFormat,
): AsyncGenerator<Part> {
  for await (const frame of frames) yield toPart(frame, format);
}

function toPart(frame: SpokenFrame, format: FrameFormat): Part {
  return {
    headers: {
      "Content-Type": CONTENT_TYPES[format],
      "Frame-Number": String(frame.frame),
      "Frame-Time": String(frame.timeMs),
      "Background-Index": String(frame.backgroundIndex),
      ...(frame.isKeyFrame && format === "h264" && { "Key-Frame": "1" }),
    },
    body: frame.parts,
  };
}
