import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import { silentLogger } from "../../avatar/logger.ts";
import { createTracing, traceFields } from "../../avatar/tracing/tracing.ts";
import { type TraceVariables, traceRequests } from "./trace-requests.ts";

function setUp() {
  const names: string[] = [];
  const settings = { otlp_endpoint: "http://127.0.0.1:1", sample_ratio: 1, service_name: "test" };
  const tracing = createTracing(settings, silentLogger, async (spans) => {
    names.push(...spans.map(({ name }) => name));
  });
  const app = new Hono<{ Variables: TraceVariables }>();
  app.use("/v1/*", traceRequests(tracing));
  app.get("/v1/avatars/:id", (c) => c.json(traceFields(c.get("trace"))));
  app.get("/livez", (c) => c.json(traceFields(c.get("trace"))));
  return { app, names, tracing };
}

test("where a runtime stops after the answer, it is asked to wait for the spans", async () => {
  const { app, names } = setUp();
  const waits: Promise<unknown>[] = [];
  const execution = {
    waitUntil: (work: Promise<unknown>) => void waits.push(work),
    passThroughOnException() {},
    props: {},
  };
  const response = await app.fetch(new Request("http://edge/v1/avatars/ada"), {}, execution);
  assert.equal(waits.length, 1);
  assert.deepEqual(names, []);
  const { trace_id } = (await response.json()) as { trace_id: string };
  assert.match(trace_id, /^[0-9a-f]{32}$/);
  await waits[0];
  assert.deepEqual(names, ["GET /v1/avatars/:id"]);
});

test("probes are not traced; HEAD and what does not exist are", async () => {
  const { app, names, tracing } = setUp();
  assert.deepEqual(await (await app.request("/livez")).json(), {});
  assert.equal((await app.request("/v1/avatars/ada", { method: "HEAD" })).status, 200);
  const missing = await app.request("/v1/nothing");
  assert.equal(missing.status, 404);
  await missing.text();
  await tracing.flush(1000);
  assert.deepEqual(names, ["HEAD /v1/avatars/:id", "GET /v1/*"]);
});
