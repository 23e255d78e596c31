import { Hono } from "hono";
import type { Logger } from "../../avatar/logger.ts";
import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { traceFields } from "../../avatar/tracing/tracing.ts";
import { decodeSpeech } from "../audio/decode-audio.ts";
import { readAhead } from "../audio/read-ahead.ts";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import { type EdgeConfig, megabytes } from "../config.ts";
import { limitBody } from "../http/limit-body.ts";
import { multipartStream, type Part } from "../http/multipart.ts";
import { problemJson, toProblem } from "../http/problem.ts";
import { RequestError } from "../http/request-error.ts";
import type { TraceVariables } from "../http/trace-requests.ts";
import { CONTENT_TYPES, type ImageFormat } from "../speak/image-format.ts";
import type { Speaker, SpokenFrame } from "../speak/speaker.ts";

const MAX_START = 2 ** 31;

export interface SpeakRouteOptions {
  readonly directory: AvatarDirectory;
  readonly speaker: Speaker;
  readonly config: EdgeConfig;
  readonly logger: Logger;
  readonly now: () => number;
}

type Variables = { requestId: string } & TraceVariables;

/** `POST /v1/avatars/{id}/speak`: speech in, a part per frame out, as they are made. */
export function speakRoute(options: SpeakRouteOptions): Hono<{ Variables: Variables }> {
  const { directory, speaker, config, logger, now } = options;
  const app = new Hono<{ Variables: Variables }>();

  app.post("/:id/speak", async (c) => {
    const started = now();
    const requestId = c.get("requestId");
    const trace = c.get("trace");
    const format = readFormat(c.req.query("format"));
    const start = readStart(c.req.query("start"));
    const avatar = await directory.get(c.req.param("id"));
    const leaving = new AbortController();
    const signal = AbortSignal.any([c.req.raw.signal, leaving.signal]);
    const body = limitBody(c.req.raw, megabytes(config.limits.max_body_mb));
    const contentLength = c.req.header("content-length");
    const speech = decodeSpeech(body, c.req.header("content-type") ?? "", {
      maxSamples: Math.round(config.limits.max_speech_s * SAMPLE_RATE),
      ...(contentLength !== undefined && { contentLength: Number(contentLength) }),
    });
    const frames = speaker.speak({
      avatar,
      speech: readAhead(speech, signal),
      start,
      format,
      signal,
      requestId,
      trace,
    });
    // What fails before the first frame still gets a status of its own.
    const first = await firstOf(frames, leaving);
    const firstFrameMs = Math.round(now() - started);

    async function* parts(): AsyncGenerator<Part> {
      let count = 0;
      let step = first;
      try {
        for (; !step.done; step = await frames.next()) {
          yield toPart(step.value, format);
          count++;
        }
      } finally {
        leaving.abort();
        await frames.return(undefined);
        logger.info("spoken", {
          requestId,
          ...traceFields(trace),
          avatar: avatar.summary.id,
          frames: count,
          complete: step.done === true,
          firstFrameMs,
          ms: Math.round(now() - started),
        });
      }
    }
    const boundary = `frame-${crypto.randomUUID()}`;
    const stream = multipartStream(parts(), {
      boundary,
      lastPart: (error) => {
        const problem = toProblem(error, requestId);
        const fields = { requestId, ...traceFields(trace), error: String(error) };
        logger.error("speech broke off", fields);
        const headers = { "Content-Type": "application/problem+json" };
        return { headers, body: [new TextEncoder().encode(problemJson(problem))] };
      },
      onCancel: () => leaving.abort(),
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

async function firstOf(frames: AsyncGenerator<SpokenFrame>, leaving: AbortController) {
  try {
    return await frames.next();
  } catch (error) {
    // The upload may still be on its way, and nobody will read it.
    leaving.abort();
    throw error;
  }
}

function toPart(frame: SpokenFrame, format: ImageFormat): Part {
  return {
    headers: {
      "Content-Type": CONTENT_TYPES[format],
      "Frame-Number": String(frame.frame),
      "Frame-Time": String(frame.timeMs),
      "Background-Index": String(frame.backgroundIndex),
    },
    body: frame.image,
  };
}

function readFormat(format = "jpeg"): ImageFormat {
  if (format === "png" || format === "jpeg") return format;
  throw new RequestError(400, `format=${format.slice(0, 40)} is not known: use png or jpeg`);
}

function readStart(start = "0"): number {
  const position = Number(start);
  if (/^[0-9]{1,10}$/.test(start) && position <= MAX_START) return position;
  throw new RequestError(
    400,
    `start=${start.slice(0, 40)} is no playback position: use a whole number of frames from 0`,
  );
}
