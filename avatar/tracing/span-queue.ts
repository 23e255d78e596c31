import { TraceFlags } from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Logger } from "../logger.ts";
import type { SendSpans } from "./otlp-sender.ts";

/** Spans since the start. */
export interface SpanStats {
  /** Not sent yet, those on their way included. */
  waiting: number;
  exported: number;
  /** Sent in vain. */
  failed: number;
  /** Not sent because too many waited. */
  dropped: number;
}

export interface SpanQueueOptions {
  /** Spans that may wait or be on their way; more are dropped. One has about 1 KB. Default: 2048. */
  readonly maxSpans?: number;
  /** Spans of one export. Default: 256. */
  readonly batchSpans?: number;
  /** The first span of an export waits so long for others. Default: 2000. */
  readonly delayMs?: number;
  /** Longest export. Default: 10,000. */
  readonly timeoutMs?: number;
  /** At most one line about losses in so long. Default: 60,000. */
  readonly logIntervalMs?: number;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
}

/**
 * Finished spans on their way out: bounded, losses counted and logged. The
 * SDK's own BatchSpanProcessor tells of losses through global handlers only,
 * and its timer does not survive a request in Workers.
 */
export class SpanQueue implements SpanProcessor {
  readonly stats: SpanStats = { waiting: 0, exported: 0, failed: 0, dropped: 0 };
  readonly #send: SendSpans;
  readonly #logger: Logger;
  readonly #options: Required<SpanQueueOptions>;
  readonly #exports = new Map<Promise<void>, AbortController>();
  #spans: ReadableSpan[] = [];
  #timer: unknown = null;
  #isStopped = false;
  #loggedMs = Number.NEGATIVE_INFINITY;
  #told = { failed: 0, dropped: 0 };

  constructor(send: SendSpans, logger: Logger, options: SpanQueueOptions = {}) {
    this.#send = send;
    this.#logger = logger;
    this.#options = {
      maxSpans: 2048,
      batchSpans: 256,
      delayMs: 2000,
      timeoutMs: 10_000,
      logIntervalMs: 60_000,
      now: () => performance.now(),
      ...options,
    };
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    if (this.#isStopped || this.stats.waiting >= this.#options.maxSpans) {
      this.stats.dropped++;
      this.#tellLosses(null);
      return;
    }
    this.#spans.push(span);
    this.stats.waiting++;
    if (this.#spans.length >= this.#options.batchSpans) this.#exportAll();
    else this.#timer ??= this.#startTimer();
  }

  /** Sends what waits. @param limitMs what takes longer is given up */
  async flush(limitMs: number): Promise<void> {
    this.#exportAll();
    const under = [...this.#exports];
    if (under.length === 0) return;
    const limit = setTimeout(() => {
      for (const [, cut] of under) cut.abort(new Error(`no answer within ${limitMs} ms`));
    }, limitMs);
    await Promise.all(under.map(([done]) => done));
    clearTimeout(limit);
  }

  /** As `flush`; spans that end later are dropped. */
  async stop(limitMs: number): Promise<void> {
    this.#isStopped = true;
    await this.flush(limitMs);
  }

  forceFlush(): Promise<void> {
    return this.flush(this.#options.timeoutMs);
  }

  shutdown(): Promise<void> {
    return this.stop(this.#options.timeoutMs);
  }

  #startTimer(): unknown {
    const timer: unknown = setTimeout(() => this.#exportAll(), this.#options.delayMs);
    // Where a timer is an object it may keep the process alive, for spans.
    if (typeof timer === "object" && timer && "unref" in timer) (timer.unref as () => void)();
    return timer;
  }

  #exportAll(): void {
    if (this.#timer !== null) clearTimeout(this.#timer as number);
    this.#timer = null;
    while (this.#spans.length > 0) {
      const spans = this.#spans.splice(0, this.#options.batchSpans);
      const cut = new AbortController();
      const done = this.#export(spans, cut).finally(() => this.#exports.delete(done));
      this.#exports.set(done, cut);
    }
  }

  /** Never fails. */
  async #export(spans: ReadableSpan[], cut: AbortController): Promise<void> {
    const { timeoutMs } = this.#options;
    const limit = setTimeout(
      () => cut.abort(new Error(`no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const cancelled = new Promise<never>((_, reject) => {
      cut.signal.addEventListener("abort", () => reject(cut.signal.reason));
    });
    try {
      // A receiver or a runtime that ignores the signal must not hold us up either.
      await Promise.race([this.#send(spans, cut.signal), cancelled]);
      this.stats.exported += spans.length;
    } catch (error) {
      this.stats.failed += spans.length;
      this.#tellLosses(error);
    } finally {
      clearTimeout(limit);
      this.stats.waiting -= spans.length;
    }
  }

  #tellLosses(error: unknown): void {
    const { logIntervalMs, now } = this.#options;
    if (now() - this.#loggedMs < logIntervalMs) return;
    this.#loggedMs = now();
    const { failed, dropped } = this.stats;
    this.#logger.warn("traces are lost", {
      failedSpans: failed - this.#told.failed,
      droppedSpans: dropped - this.#told.dropped,
      ...(error !== null && { error: describe(error) }),
    });
    this.#told = { failed, dropped };
  }
}

/** fetch hides what happened in the cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
