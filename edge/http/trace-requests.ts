import { SpanKind, type Context as TraceContext } from "@opentelemetry/api";
import type { Context, MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { below, failSpan, type Tracing } from "../../avatar/tracing/tracing.ts";
import { withoutKeys } from "../access/api-key.ts";
import { whenEnded } from "./when-ended.ts";

/** In Workers nothing goes on after the answer but what was announced; it gets so long. */
const FLUSH_LIMIT_MS = 5000;

/** What a request carries for those who trace below it. */
export interface TraceVariables {
  /** Undefined when the request is not traced. */
  trace: TraceContext | undefined;
}

/** A span per request, in the caller's trace if it has one, to the last byte of the answer. */
export function traceRequests(tracing: Tracing): MiddlewareHandler<{ Variables: TraceVariables }> {
  return async (c, next) => {
    if (!tracing.isOn) return next();
    const { method, path } = c.req;
    const attributes = {
      "http.request.method": method,
      "url.path": withoutKeys(path.slice(0, 200)),
    };
    const span = tracing.startSpan(
      method,
      { kind: SpanKind.SERVER, attributes },
      tracing.extract(c.req.raw.headers),
    );
    c.set("trace", below(span));
    await next();
    const { status, body } = c.res;
    const route = routePath(c, -1);
    span.updateName(`${method} ${route}`);
    span.setAttributes({ "http.route": route, "http.response.status_code": status });
    if (status >= 500) failSpan(span, String(status), c.error?.message ?? "");
    const end = (outcome: "complete" | "cancelled" | Error) => {
      if (outcome === "cancelled") span.setAttribute("mouthpiece.cancelled", true);
      if (outcome instanceof Error) failSpan(span, outcome.name, outcome.message);
      span.end();
    };
    // Of an answer to HEAD nobody reads the body.
    if (!body || method === "HEAD") return end("complete");
    const [watched, ended] = whenEnded(body, end);
    c.res = new Response(watched, c.res);
    announce(
      c,
      ended.then(() => tracing.flush(FLUSH_LIMIT_MS)),
    );
  };
}

/** Tells the runtime, where it wants to know, that something goes on after the answer. */
function announce(c: Context, work: Promise<void>): void {
  try {
    c.executionCtx.waitUntil(work);
  } catch {
    // Node and Deno have no such thing: the queue sends on its own.
  }
}
