import { Hono } from "hono";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import type { IdleFrames } from "../background/idle-frames.ts";
import { RequestError } from "../http/request-error.ts";
import { CONTENT_TYPES, type ImageFormat } from "../speak/image-format.ts";

const FRAME_FILE = /^(0|[1-9][0-9]{0,5})\.(png|jpg)$/;
const IMMUTABLE = "public, max-age=31536000, immutable";
/** Without the version in its URL a frame may change with the next publish. */
const SHORT = "public, max-age=60";

/** `/v1/avatars` and below, for reading. */
export function avatarRoutes(directory: AvatarDirectory, idleFrames: IdleFrames): Hono {
  const app = new Hono();

  app.get("/", async (c) => c.json({ avatars: await directory.list() }));

  app.get("/:id", async (c) => c.json((await directory.get(c.req.param("id"))).summary));

  app.get("/:id/frames/:file", async (c) => {
    const match = FRAME_FILE.exec(c.req.param("file"));
    if (!match) {
      throw new RequestError(404, "frames are called {n}.png or {n}.jpg, e.g. frames/0.jpg");
    }
    const avatar = await directory.get(c.req.param("id"));
    const index = Number(match[1]);
    const format: ImageFormat = match[2] === "png" ? "png" : "jpeg";
    const etag = `"${avatar.summary.version}-${index}-${format}"`;
    const isVersioned = c.req.query("v") === avatar.summary.version;
    const headers = { etag, "cache-control": isVersioned ? IMMUTABLE : SHORT };
    if (matchesEtag(c.req.header("if-none-match"), etag)) return c.body(null, 304, headers);
    const image = await idleFrames.get(avatar, index, format);
    return c.body(image, 200, { ...headers, "content-type": CONTENT_TYPES[format] });
  });

  return app;
}

/** RFC 9110, 13.1.2: weak comparison against a list or `*`. */
function matchesEtag(header: string | undefined, etag: string): boolean {
  if (!header) return false;
  return header.split(",").some((entry) => {
    const value = entry.trim().replace(/^W\//, "");
    return value === "*" || value === etag;
  });
}
