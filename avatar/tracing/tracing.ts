import {
  type Context,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { LogFields, Logger } from "../logger.ts";
import { createOtlpSender, type SendSpans } from "./otlp-sender.ts";
import { SpanQueue, type SpanStats } from "./span-queue.ts";

/** Where traces go and which requests are traced; the `tracing` section of a configuration. */
export interface TracingSettings {
  /** OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. Without it nothing is traced. */
  readonly otlp_endpoint?: string | undefined;
  /** Share of requests that are traced when the caller has not decided, 0..1. */
  readonly sample_ratio: number;
  /** `service.name` of the spans. */
  readonly service_name: string;
}

/**
 * OpenTelemetry traces of one service. It is passed to whoever has something
 * to trace: nothing is registered globally, and a parent is always said.
 */
export interface Tracing {
  /** False: every call below does nothing. */
  readonly isOn: boolean;
  readonly stats: SpanStats;
  /** Starts a span; the caller ends it. @param parent of `extract` or `below` */
  startSpan(name: string, options: SpanOptions, parent: Context): Span;
  /** The caller's trace, of `traceparent` and `tracestate` (W3C Trace Context). */
  extract(headers: Headers): Context;
  /** Tells the callee in which trace it works. */
  inject(context: Context, headers: Headers): void;
  /** Sends what waits. @param limitMs what takes longer is given up */
  flush(limitMs: number): Promise<void>;
  /** As `flush`; spans that end later are dropped. */
  stop(limitMs: number): Promise<void>;
}

const NO_SPAN = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

/** Traces nothing and costs nothing. */
export const noTracing: Tracing = {
  isOn: false,
  stats: { waiting: 0, exported: 0, failed: 0, dropped: 0 },
  startSpan: () => NO_SPAN,
  extract: () => ROOT_CONTEXT,
  inject: () => {},
  flush: async () => {},
  stop: async () => {},
};

/** @param send replaces the sending, for tests */
export function createTracing(
  settings: TracingSettings,
  logger: Logger,
  send?: SendSpans,
): Tracing {
  const { otlp_endpoint, sample_ratio, service_name } = settings;
  if (otlp_endpoint === undefined) return noTracing;
  const queue = new SpanQueue(send ?? createOtlpSender(otlp_endpoint), logger);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": service_name }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sample_ratio) }),
    spanProcessors: [queue],
  });
  const tracer = provider.getTracer("mouthpiece");
  const propagator = new W3CTraceContextPropagator();
  return {
    isOn: true,
    stats: queue.stats,
    startSpan: (name, options, parent) => tracer.startSpan(name, options, parent),
    extract: (headers) =>
      propagator.extract(ROOT_CONTEXT, headers, {
        get: (from, name) => from.get(name) ?? undefined,
        keys: (from) => [...from.keys()],
      }),
    inject(context, headers) {
      propagator.inject(context, headers, { set: (to, name, value) => to.set(name, value) });
    },
    flush: (limitMs) => queue.flush(limitMs),
    stop: (limitMs) => queue.stop(limitMs),
  };
}

/** The context whose children are children of `span`. */
export function below(span: Span): Context {
  return trace.setSpan(ROOT_CONTEXT, span);
}

/** `trace_id` for the log lines of a request that is traced; nothing otherwise. */
export function traceFields(context: Context | undefined): LogFields {
  const spanContext = context && trace.getSpanContext(context);
  if (!spanContext || !isSpanContextValid(spanContext)) return {};
  return { trace_id: spanContext.traceId };
}

/** Marks a span as failed. @param type a code or class of errors, `error.type` */
export function failSpan(span: Span, type: string, message: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
