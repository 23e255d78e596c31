import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import {
  InferenceService,
  InferSpeechResponseSchema,
} from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { createConnectCoreClient } from "./connect-core-client.ts";
import { CoreCallError } from "./core-client.ts";

const CALL = {
  avatarId: "ada",
  version: "1",
  samples: new Int16Array(100),
  start: 0,
  utteranceSamples: 100,
  firstFrame: 0,
  backgroundIndices: Array.from({ length: 20 }, (_, n) => n),
};
const LIMIT_MS = 150;
const options = () => ({ signal: new AbortController().signal, requestId: "test" });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A core that answers at once, up to `stallAt`; then it says nothing more. */
function clientOf(stallAt = Number.POSITIVE_INFINITY) {
  const transport = createRouterTransport(({ service }) => {
    service(InferenceService, {
      async *inferSpeech({ backgroundIndices }, { signal }) {
        for (const [frame, backgroundIndex] of backgroundIndices.entries()) {
          if (frame === stallAt) {
            await new Promise((_, reject) => {
              signal.addEventListener("abort", () => reject(signal.reason));
            });
          }
          const pixels = new Uint8Array(3);
          yield create(InferSpeechResponseSchema, {
            frame,
            backgroundIndex,
            width: 1,
            height: 1,
            pixels,
          });
        }
      },
    });
  });
  return createConnectCoreClient(transport, LIMIT_MS);
}

test("a reader may take longer than the core may", async () => {
  let frames = 0;
  for await (const { frame } of clientOf().inferSpeech(CALL, options())) {
    assert.equal(frame, frames++);
    await pause(LIMIT_MS / 10);
  }
  assert.equal(frames, CALL.backgroundIndices.length);
});

test("a core that falls silent is given up after the limit", async () => {
  let frames = 0;
  await assert.rejects(
    async () => {
      for await (const _ of clientOf(4).inferSpeech(CALL, options())) frames++;
    },
    (error: unknown) => error instanceof CoreCallError && error.code === "timeout",
  );
  assert.equal(frames, 4);
});

test("leaving early ends the call", async () => {
  for await (const _ of clientOf(1).inferSpeech(CALL, options())) break;
});

test("the core is told until when its answer is wanted", async () => {
  const told: (number | undefined)[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(InferenceService, {
      // biome-ignore lint/correctness/useYield: it is refused before a frame
      async *inferSpeech(_, { timeoutMs }) {
        told.push(timeoutMs());
        throw new ConnectError("there is no ada", Code.NotFound);
      },
      loadModel(_, { timeoutMs }) {
        told.push(timeoutMs());
        return { loadTimeMs: 1 };
      },
    });
  });
  const client = createConnectCoreClient(transport, 60_000);
  const ask = async (deadlineMs?: number) => {
    const call = client.inferSpeech(CALL, { ...options(), deadlineMs });
    for await (const _ of call) assert.fail("there was a frame");
  };
  await assert.rejects(ask(performance.now() + 5000));
  await assert.rejects(ask());
  await client.loadModel("ada", { ...options(), deadlineMs: performance.now() + 5000 });
  await client.loadModel("ada", options());
  for (const ms of [told[0]!, told[2]!]) assert.ok(ms > 4000 && ms <= 5000, `${ms} ms`);
  assert.deepEqual([told[1], told[3]], [undefined, undefined]);
});

test("frames that are not those that were asked for are none", async () => {
  const sound = { frame: 0, backgroundIndex: 4, width: 1, height: 1, pixels: new Uint8Array(3) };
  const call = { ...CALL, backgroundIndices: [4, 5] };
  for (const [second, third] of [
    [{ frame: 2 }],
    [{ frame: 0 }],
    [{ backgroundIndex: 4 }],
    [{ pixels: new Uint8Array(2) }],
    [{ width: 4_000_000_000 }],
    [{}, { frame: 2, backgroundIndex: 6 }],
  ]) {
    const transport = createRouterTransport(({ service }) => {
      service(InferenceService, {
        async *inferSpeech() {
          yield sound;
          yield { ...sound, frame: 1, backgroundIndex: 5, ...second };
          if (third) yield { ...sound, ...third };
        },
      });
    });
    const frames: number[] = [];
    await assert.rejects(async () => {
      const mouths = createConnectCoreClient(transport, LIMIT_MS).inferSpeech(call, options());
      for await (const { frame } of mouths) frames.push(frame);
    }, /run the same version of core and edge/);
    assert.deepEqual(frames, third ? [0, 1] : [0]);
  }
});
