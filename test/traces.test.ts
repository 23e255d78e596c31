import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createJsonLogger } from "../avatar/logger.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { InferenceService } from "../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { startOtlpReceiver } from "./support/otlp-receiver.ts";
import { readParts, startSystem } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

const SERVER = 2;
const CLIENT = 3;
const ERROR = 2;
const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const SAMPLES = 40_000;

async function traced(t: TestContext, endpoint: string) {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "tiny");
  const lines: Record<string, unknown>[] = [];
  const logger = createJsonLogger("debug", (line) => lines.push(JSON.parse(line)));
  const tracing = { otlp_endpoint: endpoint };
  const system = await startSystem(root, { core: { tracing }, edge: { tracing }, logger });
  let isUp = true;
  const stop = async () => {
    if (isUp) await system.stop();
    isUp = false;
  };
  t.after(stop);
  const speak = (avatar = "tiny", headers = {}) =>
    fetch(`${system.edge.url}/v1/avatars/${avatar}/speak?format=jpeg`, {
      method: "POST",
      headers: { "content-type": "audio/wav", ...headers },
      body: wavFile(tone(SAMPLES)),
    });
  return { system, lines, stop, speak };
}

test("one speak request is one trace, from the caller through the edge into the core", async (t) => {
  const receiver = await startOtlpReceiver();
  t.after(() => receiver.stop());
  const { lines, stop, speak } = await traced(t, receiver.url);
  const parts = await readParts(await speak("tiny", { traceparent: CALLER }));
  assert.equal(parts.length, frameCount(SAMPLES));
  await stop();

  const traceId = CALLER.split("-")[1]!;
  const { spans } = receiver;
  assert.deepEqual([...new Set(spans.map((span) => span.traceId))], [traceId]);
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  for (const span of spans) assert.ok(span.start <= span.end, span.name);

  const [request, ...others] = spans.filter(({ parentSpanId }) => !byId.has(parentSpanId));
  assert.equal(others.length, 0);
  assert.equal(request!.name, "POST /v1/avatars/:id/speak");
  assert.equal(request!.parentSpanId, CALLER.split("-")[2]);
  assert.deepEqual([request!.service, request!.kind], ["mouthpiece-edge", SERVER]);
  assert.equal(request!.attributes["http.response.status_code"], 200);

  const calls = spans.filter(({ kind }) => kind === CLIENT);
  assert.ok(calls.length > 0);
  const frames = calls.map(({ attributes }) => attributes["mouthpiece.frames"]);
  assert.equal(sum(frames), parts.length);
  for (const call of calls) {
    assert.equal(call.parentSpanId, request!.spanId);
    const [server, ...more] = spans.filter(({ parentSpanId }) => parentSpanId === call.spanId);
    assert.equal(more.length, 0);
    assert.deepEqual([server!.service, server!.kind], ["mouthpiece-core", SERVER]);
    assert.equal(server!.name, "mouthpiece.inference.v1.InferenceService/InferSpeech");
    assert.equal(server!.attributes["rpc.response.status_code"], "ok");
    const below = spans.filter(({ parentSpanId }) => parentSpanId === server!.spanId);
    assert.deepEqual(below.map(({ name }) => name).sort(), ["acquire model", "run batches"]);
    const run = below.find(({ name }) => name === "run batches")!;
    assert.equal(run.attributes["mouthpiece.frames"], call.attributes["mouthpiece.frames"]);
    const batches = spans.filter(({ parentSpanId }) => parentSpanId === run.spanId);
    assert.equal(batches.length, Math.min(8, Number(run.attributes["mouthpiece.batches"])));
  }
  const cold = spans.filter(({ attributes }) => attributes["mouthpiece.cold"] === true);
  assert.ok(cold.length >= 1);

  for (const message of ["request", "spoken", "call"]) {
    const line = lines.find((each) => each.message === message);
    assert.equal(line?.trace_id, traceId, message);
  }
});

test("what fails is marked in the trace, on both sides", async (t) => {
  const receiver = await startOtlpReceiver();
  t.after(() => receiver.stop());
  const { system, stop, speak } = await traced(t, receiver.url);
  system.core.core.registry.acquire = () => Promise.reject(new Error("a defect"));
  const response = await speak();
  assert.equal(response.status, 502);
  await response.arrayBuffer();
  await stop();
  const failed = receiver.spans.filter(({ status }) => status === ERROR);
  const names = failed.map(({ service, name }) => `${service} ${name}`);
  assert.deepEqual(names.sort(), [
    "mouthpiece-core acquire model",
    "mouthpiece-core mouthpiece.inference.v1.InferenceService/InferSpeech",
    "mouthpiece-edge POST /v1/avatars/:id/speak",
    "mouthpiece-edge mouthpiece.inference.v1.InferenceService/InferSpeech",
  ]);
  assert.equal(new Set(failed.map(({ traceId }) => traceId)).size, 1);
});

test("a call that is left midway is canceled, not failed", async (t) => {
  const receiver = await startOtlpReceiver();
  t.after(() => receiver.stop());
  const { system, stop } = await traced(t, receiver.url);
  const client = createClient(
    InferenceService,
    createGrpcTransport({ baseUrl: system.core.url, acceptCompression: [] }),
  );
  const request = {
    modelId: "tiny",
    speech: new Uint8Array(2 * 640 * 260),
    utteranceSamples: BigInt(640 * 260),
    // More than fits into a connection's buffers, so that it cannot have ended.
    backgroundIndices: new Array<number>(250).fill(1),
  };
  const leaving = new AbortController();
  const options = { headers: { traceparent: CALLER }, signal: leaving.signal };
  await assert.rejects(async () => {
    for await (const _ of client.inferSpeech(request, options)) leaving.abort();
  });
  await receiver.until((spans) => spans.some(({ kind }) => kind === SERVER));
  await stop();
  const call = receiver.spans.find(({ kind }) => kind === SERVER)!;
  assert.equal(call.parentSpanId, CALLER.split("-")[2]);
  assert.equal(call.attributes["rpc.response.status_code"], "canceled");
  assert.notEqual(call.status, ERROR);
});

test("a caller that leaves ends its spans, and not as failures", async (t) => {
  const receiver = await startOtlpReceiver();
  t.after(() => receiver.stop());
  const { system, stop } = await traced(t, receiver.url);
  const leaving = new AbortController();
  const response = await fetch(`${system.edge.url}/v1/avatars/tiny/speak?format=png`, {
    method: "POST",
    headers: { "content-type": "audio/wav" },
    body: wavFile(tone(16_000 * 120)),
    signal: leaving.signal,
  });
  await response.body!.getReader().read();
  leaving.abort();
  await receiver.until((spans) => spans.some(({ name }) => name.startsWith("POST")));
  await stop();
  const request = receiver.spans.find(({ name }) => name.startsWith("POST"))!;
  assert.equal(request.attributes["mouthpiece.cancelled"], true);
  assert.deepEqual(
    receiver.spans.filter(({ status }) => status === ERROR),
    [],
  );
});

for (const [what, status] of [
  ["refuses", 503],
  ["never answers", null],
] as const) {
  test(`a receiver that ${what} hurts no request, and is told of once`, async (t) => {
    const receiver = await startOtlpReceiver(status);
    t.after(() => receiver.stop());
    const { lines, stop, speak } = await traced(t, receiver.url);
    for (let i = 0; i < 3; i++) {
      assert.equal((await readParts(await speak())).length, frameCount(SAMPLES));
    }
    await stop();
    const told = lines.filter(({ message }) => message === "traces are lost");
    // One of the edge and one of the core.
    assert.equal(told.length, 2);
    assert.ok(Number(told[0]!.failedSpans) > 0);
  });
}

test("without an endpoint nothing is traced, and no line has a trace_id", async (t) => {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "tiny");
  const lines: string[] = [];
  const logger = createJsonLogger("debug", (line) => lines.push(line));
  const system = await startSystem(root, { logger });
  t.after(() => system.stop());
  const response = await fetch(`${system.edge.url}/v1/avatars/tiny/speak?format=jpeg`, {
    method: "POST",
    headers: { "content-type": "audio/wav", traceparent: CALLER },
    body: wavFile(tone(SAMPLES)),
  });
  assert.equal((await readParts(response)).length, frameCount(SAMPLES));
  assert.ok(lines.some((line) => line.includes('"message":"call"')));
  assert.ok(lines.every((line) => !line.includes("trace_id")));
});

function sum(numbers: readonly unknown[]): number {
  return numbers.reduce<number>((total, each) => total + Number(each), 0);
}
