import { Hono } from "hono";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { CoreCallError, type CoreClient } from "../core/core-client.ts";

/** `/livez` and `/readyz`. */
export function healthRoutes(core: CoreClient, store: ObjectStore): Hono {
  const app = new Hono();

  app.get("/livez", (c) => c.json({ status: "live" }));

  app.get("/readyz", async (c) => {
    const { signal } = c.req.raw;
    const [coreReason, storeReason] = await Promise.all([
      reasonOf(core.checkHealth(signal)),
      reasonOf(store.list("avatars/", signal)),
    ]);
    const reasons = {
      ...(coreReason && { core: coreReason }),
      ...(storeReason && { store: storeReason }),
    };
    if (Object.keys(reasons).length === 0) return c.json({ status: "ready" });
    return c.json({ status: "not ready", reasons }, 503, { "retry-after": "2" });
  });

  return app;
}

async function reasonOf(check: Promise<unknown>): Promise<string | null> {
  try {
    await check;
    return null;
  } catch (error) {
    if (error instanceof CoreCallError) return error.message;
    return error instanceof Error ? error.message : String(error);
  }
}
