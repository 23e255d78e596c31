import { Hono } from "hono";
import type { Snapshots } from "../operator/snapshot.ts";
import type { Watchers } from "../operator/watchers.ts";

const NO_STORE = { "cache-control": "no-store" };

export interface OperatorRoutesOptions {
  readonly snapshots: Snapshots;
  readonly watchers: Watchers;
}

/** `/v1/operator`: the edge at a moment, and as it goes on. */
export function operatorRoutes({ snapshots, watchers }: OperatorRoutesOptions): Hono {
  const app = new Hono();
  app.get("/", async (c) => c.json(await snapshots.take(), 200, NO_STORE));
  app.get("/events", (c) =>
    c.body(watchers.watch(), 200, {
      ...NO_STORE,
      "content-type": "text/event-stream",
      // A proxy that collects answers would keep them to itself.
      "x-accel-buffering": "no",
    }),
  );
  return app;
}
