import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  createContextValues,
  createRouterTransport,
  type ServiceImpl,
} from "@connectrpc/connect";
import { createJsonLogger, silentLogger } from "../../avatar/logger.ts";
import { noTracing } from "../../avatar/tracing/tracing.ts";
import {
  InferenceService,
  type InferSpeechResponse,
  InferSpeechResponseSchema,
} from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { CoreError } from "../core-error.ts";
import { noObserver, type RequestEnd } from "../observe/observer.ts";
import { toConnectError } from "./errors.ts";
import { observeCalls } from "./observe-calls.ts";

type Handlers = Partial<ServiceImpl<typeof InferenceService>>;

function setUp(handlers: Handlers, services = [InferenceService.typeName]) {
  const ends: RequestEnd[] = [];
  const lines: unknown[] = [];
  let nowMs = 0;
  const interceptor = observeCalls({
    observer: { ...noObserver, requestEnded: (end) => ends.push(end) },
    tracing: noTracing,
    logger: createJsonLogger("debug", (line) => lines.push(JSON.parse(line))),
    services: new Set(services),
    now: () => {
      nowMs += 5;
      return nowMs;
    },
  });
  const transport = createRouterTransport(({ service }) => service(InferenceService, handlers), {
    router: { interceptors: [interceptor] },
  });
  return { client: createClient(InferenceService, transport), ends, lines };
}

const frame = () => create(InferSpeechResponseSchema, {});

test("a call counts once, with its code, why it failed and its time", async () => {
  const { client, ends } = setUp({
    health: () => ({ healthy: true }),
    loadModel() {
      const full = new CoreError("resource_exhausted", "full", { reason: "queue_full" });
      throw toConnectError(full, silentLogger);
    },
    unloadModel() {
      throw new Error("a defect");
    },
    async *inferSpeech({ modelId }) {
      yield frame();
      if (modelId === "broken") throw new ConnectError("gone", Code.Unavailable);
    },
  });
  await client.health({});
  await assert.rejects(client.loadModel({}));
  await assert.rejects(client.unloadModel({}));
  for await (const _ of client.inferSpeech({}));
  await assert.rejects(async () => {
    for await (const _ of client.inferSpeech({ modelId: "broken" }));
  });
  assert.deepEqual(
    ends.map(({ method, code, reason, durationMs }) => [method, code, reason, durationMs]),
    [
      ["Health", "ok", "ok", 5],
      ["LoadModel", "resource_exhausted", "queue_full", 5],
      ["UnloadModel", "unknown", "unknown", 5],
      ["InferSpeech", "ok", "ok", 5],
      ["InferSpeech", "unavailable", "unavailable", 5],
    ],
  );
});

test("a write that fails because the caller has gone, or its time is up, is no defect", async () => {
  for (const [reason, code] of [
    [new Error("the connection closed"), "canceled"],
    [new ConnectError("http/2 stream closed", Code.Internal), "canceled"],
    [new ConnectError("too late", Code.DeadlineExceeded), "deadline_exceeded"],
  ] as const) {
    const gone = new AbortController();
    const { next, ends } = direct(gone.signal, async function* () {
      yield frame();
      gone.abort(reason);
      throw new Error("write failed");
    });
    await assert.rejects(async () => {
      for await (const _ of await next());
    }, /write failed/);
    assert.deepEqual(
      ends.map((end) => end.code),
      [code],
    );
  }
});

test("a reader that leaves in between is canceled", async () => {
  const { next, ends } = direct(new AbortController().signal, async function* () {
    yield frame();
    yield frame();
  });
  for await (const _ of await next()) break;
  assert.deepEqual(
    ends.map(({ code }) => code),
    ["canceled"],
  );
});

/** The interceptor around `messages`, without a transport. */
function direct(signal: AbortSignal, messages: () => AsyncGenerator<InferSpeechResponse>) {
  const ends: RequestEnd[] = [];
  const interceptor = observeCalls({
    observer: { ...noObserver, requestEnded: (end) => ends.push(end) },
    tracing: noTracing,
    logger: silentLogger,
    services: new Set([InferenceService.typeName]),
    now: () => 0,
  });
  const common = {
    stream: true,
    service: InferenceService,
    method: InferenceService.method.inferSpeech,
    header: new Headers(),
  } as const;
  const handler = interceptor(async () => ({
    ...common,
    trailer: new Headers(),
    message: messages(),
  }));
  const request = {
    ...common,
    requestMethod: "POST",
    url: "http://core",
    signal,
    contextValues: createContextValues(),
    message: (async function* () {})(),
  };
  return {
    ends,
    next: async () => (await handler(request)).message as AsyncIterable<InferSpeechResponse>,
  };
}

test("a service that is not observed is not counted, and no line is written", async () => {
  const { client, ends, lines } = setUp({ health: () => ({}) }, []);
  await client.health({});
  assert.deepEqual([ends, lines], [[], []]);
});
