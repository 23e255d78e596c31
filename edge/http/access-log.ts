import type { MiddlewareHandler } from "hono";
import type { Logger } from "../../avatar/logger.ts";
import { traceFields } from "../../avatar/tracing/tracing.ts";
import { withoutKeys } from "../access/api-key.ts";
import { callerFields } from "../access/caller.ts";
import type { EdgeVariables } from "./variables.ts";

/** One line per answer. Bodies that are streamed go on after it. */
export function accessLog(
  logger: Logger,
  now: () => number,
): MiddlewareHandler<{ Variables: EdgeVariables }> {
  return async (c, next) => {
    const started = now();
    await next();
    const caller = c.get("caller");
    logger.info("request", {
      requestId: c.get("requestId"),
      ...traceFields(c.get("trace")),
      ...(caller && callerFields(caller)),
      method: c.req.method,
      path: withoutKeys(c.req.path.slice(0, 200)),
      status: c.res.status,
      ms: Math.round(now() - started),
    });
  };
}
