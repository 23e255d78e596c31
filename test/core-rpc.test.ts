import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { after, before, describe, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { silentLogger } from "../avatar/logger.ts";
import { frameCount, samplesForFrames } from "../avatar/speech-timing.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { InferenceService, ModelState } from "../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { buildTinyUnet, temporaryFolder, tone, writeTinyAvatar } from "./support/tiny-avatar.ts";

describe("the core's port", () => {
  let running: RunningCore;
  const ends: (() => Promise<void>)[] = [];
  before(async () => {
    const root = await temporaryFolder({ after: (end) => ends.push(end) });
    for (const id of ["one", "two", "three"]) await writeTinyAvatar(root, id);
    await writeTinyAvatar(root, "named", {
      unet: buildTinyUnet({ visual: "visual_input", audio: "audio_input" }),
    });
    const server = { port: 0, max_message_size_mb: 8 };
    const config = { models_root: root, server, capacity: { max_models: 2 } };
    running = await startCore(parseCoreConfig(config, "test"), silentLogger);
  });
  after(async () => {
    await running.stop();
    for (const end of ends) await end();
  });

  const transports = {
    "Connect over HTTP/1.1": () =>
      createConnectTransport({ baseUrl: running.url, httpVersion: "1.1" }),
    "Connect over HTTP/2": () => createConnectTransport({ baseUrl: running.url, httpVersion: "2" }),
    "gRPC-Web": () => createGrpcWebTransport({ baseUrl: running.url, httpVersion: "1.1" }),
    gRPC: () => createGrpcTransport({ baseUrl: running.url }),
  };
  const client = () => createClient(InferenceService, transports.gRPC());
  const bytesOf = (samples: Int16Array) => new Uint8Array(samples.slice().buffer);

  for (const [name, createTransport] of Object.entries(transports)) {
    test(`answers ${name}, streams included`, async () => {
      const rpc = createClient(InferenceService, createTransport());
      const { healthy, devices } = await rpc.health({});
      assert.ok(healthy);
      assert.equal(devices.length, 1);
      const samples = tone(16_000);
      const frames: number[] = [];
      const call = rpc.inferSpeech({
        modelId: "one",
        speech: bytesOf(samples),
        utteranceSamples: 16_000n,
        backgroundIndices: [1, 2, 3],
      });
      for await (const mouth of call) {
        frames.push(mouth.frame);
        assert.equal(mouth.pixels.length, mouth.width * mouth.height * 3);
      }
      assert.deepEqual(frames, [0, 1, 2]);
      await assert.rejects(rpc.loadModel({ modelId: "nobody" }), (error) => {
        assert.equal(ConnectError.from(error).code, Code.NotFound);
        return true;
      });
    });
  }

  for (const [name, createTransport] of Object.entries(transports)) {
    test(`${name}: a request beyond server.max_message_size_mb is told so, and the next is served`, async () => {
      const rpc = createClient(InferenceService, createTransport());
      const tooMuch = new Uint8Array(20e6);
      // A caller whose bytes are not taken would wait for ever.
      const limits = { timeoutMs: 30_000 };
      const calls = [
        () => rpc.inferBatch({ modelId: "one", batchSize: 1, visualFrames: tooMuch }, limits),
        () => Array.fromAsync(rpc.inferSpeech({ modelId: "one", speech: tooMuch }, limits)),
      ];
      for (const call of calls) {
        await assert.rejects(call, (error) => {
          const { code, rawMessage } = ConnectError.from(error);
          assert.equal(code, Code.ResourceExhausted, rawMessage);
          assert.match(
            rawMessage,
            /19.1 MB, and server.max_message_size_mb allows 8: ask for fewer/,
          );
          return true;
        });
      }
      assert.ok((await rpc.health({})).healthy);
    });
  }

  test("windows cut anywhere give the regions of the whole utterance", async () => {
    const rpc = client();
    const samples = tone(64_000);
    const total = frameCount(samples.length);
    const ask = async (first: number, end: number, from: number, to: number, whole: boolean) => {
      const regions: Uint8Array[] = [];
      const call = rpc.inferSpeech({
        modelId: "one",
        speech: bytesOf(samples.slice(from, to)),
        speechStart: BigInt(from),
        ...(whole && { utteranceSamples: BigInt(samples.length) }),
        firstFrame: first,
        backgroundIndices: Array.from({ length: end - first }, (_, i) => (first + i) % 4),
      });
      for await (const { pixels } of call) regions.push(pixels);
      return regions;
    };
    const whole = await ask(0, total, 0, samples.length, true);
    assert.equal(whole.length, total);
    for (const [first, end] of [
      [0, 5],
      [5, 12],
      [12, 13],
      [30, 80],
    ] as const) {
      const { start, end: stop } = samplesForFrames(first, end);
      const part = await ask(first, end, start, stop, false);
      for (const [i, region] of part.entries()) assert.deepEqual(region, whole[first + i]);
    }
    const distinct = new Set(whole.map((region) => Buffer.from(region).toString("base64")));
    assert.ok(distinct.size > total / 2, "the mouth follows the speech");
  });

  test("a deadline that is further away than a timer reaches is none", async () => {
    for (const [header, value, transport] of [
      ["grpc-timeout", "99999999H", transports.gRPC()],
      ["connect-timeout-ms", "9999999999", transports["Connect over HTTP/1.1"]()],
    ] as const) {
      const call = { modelId: "one", speech: bytesOf(tone(16_000)), utteranceSamples: 16_000n };
      const frames = createClient(InferenceService, transport).inferSpeech(
        { ...call, backgroundIndices: [1, 2] },
        { headers: { [header]: value } },
      );
      assert.equal((await Array.fromAsync(frames)).length, 2, header);
    }
  });

  test("probes take GET and HEAD, and no path brings the core down", async () => {
    const answers = async (path: string, method: string) => {
      const { status, headers } = await fetch(`${running.url}${path}`, { method });
      return [status, headers.get("allow")];
    };
    assert.deepEqual(await answers("/readyz", "GET"), [200, null]);
    assert.deepEqual(await answers("/readyz", "HEAD"), [200, null]);
    assert.deepEqual(await answers("/livez", "POST"), [405, "GET, HEAD"]);
    // With a scheme that it does not know, HTTP/2 lets any path through.
    const session = connect(running.url);
    for (const path of ["constructor", "toString", "__proto__"]) {
      const request = session.request({ ":scheme": "other", ":path": path });
      const [headers] = await once(request, "response", { signal: AbortSignal.timeout(5000) });
      assert.equal(headers[":status"], 404, path);
      request.close();
    }
    session.destroy();
  });

  test("InferBatch is the model, in float32", async () => {
    const rpc = client();
    const visual = Float32Array.from({ length: 2 * 6 * 320 * 320 }, (_, i) => (i % 97) / 97);
    const audio = Float32Array.from({ length: 2 * 32 * 16 * 16 }, (_, i) => Math.sin(i) / 3);
    const session = await InferenceSession.create(buildTinyUnet());
    const direct = await session.run({
      input: new Tensor("float32", visual, [2, 6, 320, 320]),
      audio: new Tensor("float32", audio, [2, 32, 16, 16]),
    });
    const expected = direct.output!.data as Float32Array;
    for (const modelId of ["one", "named"]) {
      const answer = await rpc.inferBatch({
        modelId,
        visualFrames: new Uint8Array(visual.buffer),
        audioFeatures: new Uint8Array(audio.buffer),
        batchSize: 2,
      });
      assert.equal(answer.outputs.length, 2);
      const floats = answer.outputs.flatMap(({ data }) => [
        ...new Float32Array(data.slice().buffer),
      ]);
      assert.deepEqual(Float32Array.from(floats), expected);
    }
    await session.release();
  });

  test("batch_size that disagrees with the bytes is refused with the numbers", async () => {
    const call = client().inferBatch({
      modelId: "one",
      visualFrames: new Uint8Array(2_457_600),
      audioFeatures: new Uint8Array(32_768),
      batchSize: 2,
    });
    await assert.rejects(call, (error) => {
      const { code, rawMessage } = ConnectError.from(error);
      assert.equal(code, Code.InvalidArgument);
      assert.match(rawMessage, /2457600 bytes: batch_size 2 needs 4915200/);
      return true;
    });
  });

  test("speech that does not hold what the frames need is refused with the samples", async () => {
    const call = client().inferSpeech({
      modelId: "one",
      speech: new Uint8Array(6400),
      firstFrame: 0,
      backgroundIndices: [0, 1],
    });
    await assert.rejects(async () => {
      for await (const _ of call);
    }, /depend on samples 0\.\./);
  });

  test("the least recently used model leaves when there is no room", async () => {
    const rpc = client();
    for (const modelId of ["one", "two", "three"]) await rpc.loadModel({ modelId });
    const { models } = await rpc.listModels({ loadedOnly: true });
    assert.deepEqual(models.map(({ modelId }) => modelId).sort(), ["three", "two"]);
    assert.ok(
      models.every(({ state, placements }) => state === ModelState.READY && placements.length),
    );
    const { stats } = await rpc.getModelStats({ modelId: "one" });
    assert.ok(stats[0]!.evictions >= 1n);
    assert.equal((await rpc.unloadModel({ modelId: "two" })).wasLoaded, true);
    assert.equal((await rpc.unloadModel({ modelId: "two" })).wasLoaded, false);
  });

  test("a device that dies is started again, and the next request is served", async () => {
    const device = running.core.engine.devices[0]!;
    process.kill(device.pid!, "SIGKILL");
    for (let i = 0; i < 400 && (device.restarts === 0 || device.state !== "ready"); i++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assert.equal(device.restarts, 1);
    await client().loadModel({ modelId: "one" });
  });
});
