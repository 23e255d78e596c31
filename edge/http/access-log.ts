import type { MiddlewareHandler } from "hono";
import type { Logger } from "../../avatar/logger.ts";
import { traceFields } from "../../avatar/tracing/tracing.ts";

/** One line per answer. Bodies that are streamed go on after it. */
export function accessLog(logger: Logger, now: () => number): MiddlewareHandler {
  return async (c, next) => {
    const started = now();
    await next();
    logger.info("request", {
      requestId: c.get("requestId"),
      ...traceFields(c.get("trace")),
      method: c.req.method,
      path: c.req.path.slice(0, 200),
      status: c.res.status,
      ms: Math.round(now() - started),
    });
  };
}
