import { Hono } from "hono";
import { silentLogger } from "../../avatar/logger.ts";
import { below, createTracing } from "../../avatar/tracing/tracing.ts";
import { type TraceVariables, traceRequests } from "../../edge/http/trace-requests.ts";

/** An edge of no size, for runtimes that are not Node: it streams, and tells what it would tell a core. */
export function createTracedApp(endpoint: string) {
  const settings = { otlp_endpoint: endpoint, sample_ratio: 1, service_name: "small-edge" };
  const tracing = createTracing(settings, silentLogger);
  const app = new Hono<{ Variables: TraceVariables }>();
  app.use("/v1/*", traceRequests(tracing));
  app.get("/v1/avatars/:id", (c) => {
    const trace = c.get("trace");
    if (!trace) return c.text("not traced", 500);
    const span = tracing.startSpan("call", {}, trace);
    const headers = new Headers();
    tracing.inject(below(span), headers);
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode(headers.get("traceparent") ?? ""));
        controller.close();
        span.end();
      },
    });
    return new Response(body);
  });
  return app;
}
