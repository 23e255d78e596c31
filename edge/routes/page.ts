import { Hono } from "hono";
import type { Assets } from "../parts.ts";

/** @param host of the page: that `'self'` covers its WebSockets is not what all browsers think */
const headersFor = (host: string) => ({
  "content-security-policy": `default-src 'self'; connect-src 'self' ws://${host} wss://${host}; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'`,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
});

/** Files of pages that have addresses without their names. */
const PAGES: Readonly<Record<string, string>> = {
  "/": "/index.html",
  "/operator": "/operator.html",
};

/** The page at `/`, that of operators, the SDK and their files. */
export function pageRoutes(assets: Assets): Hono {
  const app = new Hono();
  app.get("/*", async (c, next) => {
    const response = await assets(PAGES[c.req.path] ?? c.req.path);
    if (!response) return next();
    const headers = headersFor(new URL(c.req.url).host);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  });
  return app;
}
