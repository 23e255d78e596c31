import { readFileSync } from "node:fs";
import { serve } from "@hono/node-server";
import { Hono } from "hono";

/** Hono with one route that gives the bytes of a file, and nothing around it. */
const body = new Uint8Array(readFileSync(process.argv[2]!));
const app = new Hono();
app.get("/frame", (c) => c.body(body, 200, { "content-type": "image/jpeg" }));
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
  process.stdout.write(`ready http://127.0.0.1:${port}\n`);
});
