import { type Attributes, type Context, type Span, SpanKind } from "@opentelemetry/api";
import type { LogFields } from "../../avatar/logger.ts";
import { below, failSpan, type Tracing, traceFields } from "../../avatar/tracing/tracing.ts";
import { CoreError } from "../core-error.ts";
import type { BatchEnd } from "./observer.ts";

/** Batches of one call that get a span of their own; a second of speech has three or more. */
const MAX_BATCH_SPANS = 8;
/** Nobody is to blame for a caller that leaves. */
const NO_FAILURES: ReadonlySet<string> = new Set(["ok", "canceled"]);

/** What the trace of one call is told. */
export interface CallTrace {
  /** `trace_id` for log lines; nothing when the call is not traced. */
  readonly logFields: LogFields;
  /** Does `work` within a span. @param attributes told when it is done */
  step<T>(name: string, work: () => Promise<T>, attributes?: (result: T) => Attributes): Promise<T>;
  /** A batch with frames of this call has ended just now. */
  batchEnded(batch: BatchEnd): void;
}

/** Of a call that is not traced. */
export const noCallTrace: CallTrace = {
  logFields: {},
  step: (_, work) => work(),
  batchEnded() {},
};

/**
 * The span of a call and those below it: steps, one span from the first batch
 * to the last with their sums, and one per batch for the first few.
 */
export class SpanCallTrace implements CallTrace {
  readonly logFields: LogFields;
  readonly #tracing: Tracing;
  readonly #span: Span;
  readonly #context: Context;
  #batches: { span: Span; context: Context; endMs: number } | null = null;
  #count = 0;
  #frames = 0;
  #queueMs = 0;
  #unetMs = 0;

  /** @param parent of the caller */
  constructor(tracing: Tracing, name: string, attributes: Attributes, parent: Context) {
    this.#tracing = tracing;
    this.#span = tracing.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
    this.#context = below(this.#span);
    this.logFields = traceFields(this.#context);
  }

  async step<T>(
    name: string,
    work: () => Promise<T>,
    attributes?: (result: T) => Attributes,
  ): Promise<T> {
    const span = this.#tracing.startSpan(name, {}, this.#context);
    try {
      const result = await work();
      if (attributes) span.setAttributes(attributes(result));
      return result;
    } catch (error) {
      const code = error instanceof CoreError ? error.code : "internal";
      failSpan(span, code, error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      span.end();
    }
  }

  batchEnded({ device, worker, frames, queueMs, times }: BatchEnd): void {
    const endMs = Date.now();
    const busyMs = times
      ? times.melMs + times.encoderMs + times.prepareMs + times.unetMs + times.fitMs
      : 0;
    const startTime = endMs - busyMs - queueMs;
    if (!this.#batches) {
      const span = this.#tracing.startSpan("run batches", { startTime }, this.#context);
      this.#batches = { span, context: below(span), endMs };
    }
    this.#batches.endMs = endMs;
    this.#count++;
    this.#frames += frames;
    this.#queueMs += queueMs;
    this.#unetMs += times?.unetMs ?? 0;
    if (this.#count > MAX_BATCH_SPANS) return;
    const attributes = {
      "mouthpiece.device": device,
      "mouthpiece.worker": worker,
      "mouthpiece.frames": frames,
      "mouthpiece.queue_ms": queueMs,
      ...(times && {
        "mouthpiece.mel_ms": times.melMs,
        "mouthpiece.encoder_ms": times.encoderMs,
        "mouthpiece.prepare_ms": times.prepareMs,
        "mouthpiece.unet_ms": times.unetMs,
        "mouthpiece.fit_ms": times.fitMs,
      }),
    };
    this.#tracing.startSpan("batch", { startTime, attributes }, this.#batches.context).end(endMs);
  }

  /** @param code as RequestEnd has it */
  end(code: string, message: string): void {
    if (this.#batches) {
      this.#batches.span.setAttributes({
        "mouthpiece.batches": this.#count,
        "mouthpiece.frames": this.#frames,
        "mouthpiece.queue_ms": this.#queueMs,
        "mouthpiece.unet_ms": this.#unetMs,
      });
      this.#batches.span.end(this.#batches.endMs);
    }
    this.#span.setAttribute("rpc.response.status_code", code);
    if (!NO_FAILURES.has(code)) failSpan(this.#span, code, message);
    this.#span.end();
  }
}
