import assert from "node:assert/strict";
import { test } from "node:test";
import { createJsonLogger } from "../logger.ts";
import { SpanQueue, type SpanQueueOptions } from "./span-queue.ts";
import { createTracing } from "./tracing.ts";

type Span = Parameters<SpanQueue["onEnd"]>[0];

/** As much of a span as the queue looks at. */
const span = (name = "x", traceFlags = 1) =>
  ({ name, spanContext: () => ({ traceFlags }) }) as unknown as Span;

function setUp(options: SpanQueueOptions = {}, send?: () => Promise<void>) {
  const batches: string[][] = [];
  const lines: Record<string, unknown>[] = [];
  const logger = createJsonLogger("warn", (line) => lines.push(JSON.parse(line)));
  const time = { nowMs: 0 };
  const queue = new SpanQueue(
    async (spans) => {
      batches.push(spans.map(({ name }) => name));
      await send?.();
    },
    logger,
    { delayMs: 1_000_000, now: () => time.nowMs, ...options },
  );
  return { queue, batches, lines, time };
}

test("spans leave in batches: a full one at once, the rest with flush", async () => {
  const { queue, batches } = setUp({ batchSpans: 2 });
  for (const name of ["a", "b", "c"]) queue.onEnd(span(name));
  queue.onEnd(span("unsampled", 0));
  assert.deepEqual(batches, [["a", "b"]]);
  await queue.flush(1000);
  assert.deepEqual(batches, [["a", "b"], ["c"]]);
  assert.deepEqual(queue.stats, { waiting: 0, exported: 3, failed: 0, dropped: 0 });
});

test("the first span waits for others, and not for ever", async () => {
  const sent = Promise.withResolvers<void>();
  const { queue, batches } = setUp({ delayMs: 5 }, async () => sent.resolve());
  queue.onEnd(span("a"));
  queue.onEnd(span("b"));
  // The queue's own timer keeps no process alive, so something else has to.
  const alive = setInterval(() => {}, 1000);
  await sent.promise;
  clearInterval(alive);
  assert.deepEqual(batches, [["a", "b"]]);
});

test("what is under way counts: a receiver that hangs costs a bounded number of spans", async () => {
  const { queue, lines } = setUp({ maxSpans: 4, batchSpans: 2 }, () => new Promise(() => {}));
  for (let i = 0; i < 10; i++) queue.onEnd(span());
  assert.deepEqual(queue.stats, { waiting: 4, exported: 0, failed: 0, dropped: 6 });
  await queue.stop(5);
  assert.deepEqual(queue.stats, { waiting: 0, exported: 0, failed: 4, dropped: 6 });
  queue.onEnd(span());
  assert.equal(queue.stats.dropped, 7);
  assert.equal(lines.length, 1);
});

test("an export that takes too long is given up, and makes room", async () => {
  const { queue, lines } = setUp({ batchSpans: 1, timeoutMs: 5 }, () => new Promise(() => {}));
  queue.onEnd(span());
  await queue.flush(60_000);
  assert.deepEqual(queue.stats, { waiting: 0, exported: 0, failed: 1, dropped: 0 });
  assert.match(String(lines[0]?.error), /no answer within 5 ms/);
});

test("losses are told now and then, with what was lost since", async () => {
  const failing = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("gone") }));
  const { queue, lines, time } = setUp({ batchSpans: 1, logIntervalMs: 1000 }, failing);
  for (const nowMs of [0, 10, 999, 1000]) {
    time.nowMs = nowMs;
    queue.onEnd(span());
    await queue.flush(1000);
  }
  assert.deepEqual(
    lines.map(({ failedSpans, error }) => [failedSpans, error]),
    [
      [1, "fetch failed: gone"],
      [3, "fetch failed: gone"],
    ],
  );
});

test("a share of the requests is traced, and what the caller has decided holds", () => {
  const settings = { otlp_endpoint: "http://127.0.0.1:1", service_name: "test" };
  const logger = createJsonLogger("error", () => {});
  const send = async () => {};
  const tracing = createTracing({ ...settings, sample_ratio: 0 }, logger, send);
  const caller = (flags: string) =>
    new Headers({ traceparent: `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}` });
  const isTraced = (headers: Headers) =>
    tracing.startSpan("x", {}, tracing.extract(headers)).isRecording();
  assert.equal(isTraced(new Headers()), false);
  assert.equal(isTraced(caller("01")), true);
  assert.equal(isTraced(caller("00")), false);
  assert.equal(isTraced(new Headers({ traceparent: "nonsense" })), false);
});
