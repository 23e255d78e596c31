import { Hono } from "hono";
import type { Logger } from "../../avatar/logger.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import type { Access } from "../access/access.ts";
import { CoreCallError, type CoreClient } from "../core/core-client.ts";

export interface HealthRoutesOptions {
  readonly core: CoreClient;
  readonly store: ObjectStore;
  readonly access: Access;
  readonly logger: Logger;
}

/** What strangers are told of what is missing: addresses and paths are for the log. */
const FOR_STRANGERS = { core: "no core can serve", store: "the avatars cannot be read" };

/** `/livez` and `/readyz`. */
export function healthRoutes({ core, store, access, logger }: HealthRoutesOptions): Hono {
  const app = new Hono();
  let logged = "";

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
    // Probes come every few seconds: what they find is news once.
    const found = JSON.stringify(reasons);
    if (found !== logged && found !== "{}") logger.warn("not ready", reasons);
    logged = found;
    if (found === "{}") return c.json({ status: "ready" });
    const told = access.isOpen
      ? reasons
      : {
          ...(coreReason && { core: FOR_STRANGERS.core }),
          ...(storeReason && { store: FOR_STRANGERS.store }),
        };
    return c.json({ status: "not ready", reasons: told }, 503, { "retry-after": "2" });
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
