import { Hono } from "hono";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { type AvatarSummary, findTrack } from "../../avatar/manifest.ts";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import type { IdleFrames } from "../background/idle-frames.ts";
import { checkFrameIndex } from "../background/plain-frames.ts";
import type { PreparedFramesOptions } from "../background/prepared-frames.ts";
import { answerRange } from "../http/byte-range.ts";
import { readFormat, readLimit, readStart } from "../http/query.ts";
import { RequestError } from "../http/request-error.ts";
import { callerOf, type EdgeVariables } from "../http/variables.ts";
import { CONTENT_TYPES, type ImageFormat } from "../speak/image-format.ts";
import type { Prewarmer } from "../speak/prewarmer.ts";

const FRAME_FILE = /^(0|[1-9][0-9]{0,5})\.(png|jpg)$/;
const IMMUTABLE = "max-age=31536000, immutable";
/** Without the version in its URL a frame may change with the next publish. */
const SHORT = "max-age=60";

type JpegSettings = PreparedFramesOptions["jpeg"];

export interface AvatarRoutesOptions {
  readonly directory: AvatarDirectory;
  /** An avatar as this edge offers it. */
  readonly describe: (summary: AvatarSummary) => AvatarSummary;
  readonly idleFrames: IdleFrames;
  readonly prewarmer: Prewarmer;
  /** How frames are coded that come from no pack. */
  readonly jpeg: JpegSettings;
}

/** `/v1/avatars` and below, but for speech. */
export function avatarRoutes(options: AvatarRoutesOptions): Hono<{ Variables: EdgeVariables }> {
  const { directory, describe, idleFrames, prewarmer, jpeg } = options;
  const app = new Hono<{ Variables: EdgeVariables }>();

  app.get("/", async (c) => {
    const limit = readLimit(c.req.query("limit"));
    const { avatars, next } = await directory.list(c.req.query("after") ?? "", limit, callerOf(c));
    return c.json({ avatars: avatars.map(describe), ...(next !== null && { next }) });
  });

  app.get("/:id", async (c) =>
    c.json(describe((await directory.get(c.req.param("id"), callerOf(c))).summary)),
  );

  app.get("/:id/frames/:file", async (c) => {
    const match = FRAME_FILE.exec(c.req.param("file"));
    if (!match) {
      throw new RequestError(404, "frames are called {n}.png or {n}.jpg, e.g. frames/0.jpg");
    }
    const caller = callerOf(c);
    const avatar = await directory.get(c.req.param("id"), caller);
    const index = Number(match[1]);
    const format: ImageFormat = match[2] === "png" ? "png" : "jpeg";
    checkFrameIndex(avatar, index);
    const etag = `"${avatar.summary.version}-${index}-${codingOf(avatar, format, jpeg)}"`;
    const isVersioned = c.req.query("v") === avatar.summary.version;
    // What was shown to one caller is not for a cache that others share.
    const scope = caller.kind === "anyone" ? "public" : "private";
    const headers = { etag, "cache-control": `${scope}, ${isVersioned ? IMMUTABLE : SHORT}` };
    if (matchesEtag(c.req.header("if-none-match"), etag)) return c.body(null, 304, headers);
    const image = await idleFrames.get(avatar, index, format);
    // If-Range asks for a part of what it names, and for the whole of anything else.
    const ifRange = c.req.header("if-range");
    const wanted = ifRange === undefined || ifRange === etag ? c.req.header("range") : undefined;
    const answer = answerRange(image, wanted);
    const type = { "content-type": CONTENT_TYPES[format] };
    return c.body(answer.body, answer.status, { ...headers, ...answer.headers, ...type });
  });

  app.post("/:id/prewarm", async (c) => {
    const format = readFormat(c.req.query("format"));
    const start = readStart(c.req.query("start"));
    const avatar = await directory.get(c.req.param("id"), callerOf(c));
    const { modelMs, framesMs } = await prewarmer.prewarm({
      avatar,
      start,
      format,
      signal: c.req.raw.signal,
      requestId: c.get("requestId"),
      trace: c.get("trace"),
    });
    const { id, version } = avatar.summary;
    const times = { modelMs: Math.round(modelMs), framesMs: Math.round(framesMs) };
    return c.json({ id, version, ...times }, 200, { "cache-control": "no-store" });
  });

  return app;
}

/** What the bytes of an idle frame depend on beside the avatar's version. */
function codingOf({ manifest }: PublishedAvatar, format: ImageFormat, jpeg: JpegSettings): string {
  if (format === "png" || findTrack(manifest, format)) return format;
  return `${format}-${jpeg.quality}-${jpeg.subsampling}`;
}

/** RFC 9110, 13.1.2: weak comparison against a list or `*`. */
function matchesEtag(header: string | undefined, etag: string): boolean {
  if (!header) return false;
  return header.split(",").some((entry) => {
    const value = entry.trim().replace(/^W\//, "");
    return value === "*" || value === etag;
  });
}
