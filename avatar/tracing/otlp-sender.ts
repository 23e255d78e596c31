import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";

/** Delivers spans. @throws when they did not arrive */
export type SendSpans = (spans: ReadableSpan[], signal: AbortSignal) => Promise<void>;

/**
 * Sends spans as OTLP/HTTP with JSON (OTLP 1.x, "OTLP/HTTP"), over fetch:
 * the SDK's own exporter wants Node's http or a browser's XMLHttpRequest.
 * Nothing is sent twice: traces are samples, and a receiver that is not well
 * is not helped by repetition.
 */
export function createOtlpSender(endpoint: string): SendSpans {
  return async (spans, signal) => {
    const body = JsonTraceSerializer.serializeRequest(spans);
    if (!body) throw new Error("the spans could not be serialised");
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new Uint8Array(body),
      // Workers refuse "error", and spans are for this receiver alone.
      redirect: "manual",
      signal,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`${endpoint} answered ${response.status}`);
  };
}
