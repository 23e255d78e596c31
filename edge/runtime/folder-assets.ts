import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join, sep } from "node:path";
import type { Assets } from "../parts.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".ico": "image/x-icon",
  ".wav": "audio/wav",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
};
/** esbuild puts the content's hash into the names of what never changes. */
const HASHED_NAME = /-[A-Z0-9]{8}\.[a-z]+$/;

/** The files below a folder, read once: a page and its bundles are a few hundred KB. */
export function createFolderAssets(root: string): Assets {
  const files = new Map<
    string,
    { body: Uint8Array<ArrayBuffer>; headers: Record<string, string> }
  >();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const body = new Uint8Array(readFileSync(path));
    const url = path.slice(root.length).split(sep).join("/");
    const etag = `"${createHash("sha256").update(body).digest("hex").slice(0, 32)}"`;
    const cacheControl = HASHED_NAME.test(url) ? "public, max-age=31536000, immutable" : "no-cache";
    const type = TYPES[extname(url)] ?? "application/octet-stream";
    files.set(url, {
      body,
      headers: { "content-type": type, etag, "cache-control": cacheControl },
    });
  }
  return async (path) => {
    const file = files.get(path);
    return file ? new Response(file.body, { headers: file.headers }) : null;
  };
}
