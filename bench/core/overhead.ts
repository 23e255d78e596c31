import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { readAvatar } from "../../avatar/catalogue.ts";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import { silentLogger } from "../../avatar/logger.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { ENCODER_ROWS, MEL_BANDS, samplesForFrames } from "../../avatar/speech-timing.ts";
import { AUDIO_TENSOR_SIZE } from "../../gpu-core/audio/feature-extractor.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { startCore } from "../../gpu-core/main.ts";
import { VISUAL_TENSOR_SIZE } from "../../gpu-core/model/float-unet.ts";
import { createSession, floatTensor } from "../../gpu-core/model/session.ts";
import { InferenceService } from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { tone } from "../../test/support/tiny-avatar.ts";
import { median, round } from "../compare.ts";
import { writeBenchAvatars } from "../models/bench-avatars.ts";
import type { Rows } from "../rows.ts";
import { startCallerProcess } from "./caller-process.ts";

const ROUNDS = 4;
/** Of one request: as long as an edge asks for when speech goes on. */
const FRAMES_PER_ROUND = { demo: 200, full: 60 };
const SMALL_REQUESTS = { demo: 100, full: 12 };
/** Pixels up and float32 down, per frame. */
const PUBLISHED_BYTES_PER_FRAME = 3.7e6;

/**
 * What the core adds to the models: frames per second of InferSpeech over gRPC
 * beside bare loops of onnxruntime with the same threads, in turns, over the
 * U-Net alone and over audio encoder and U-Net, both of which a frame of speech
 * needs; the time around a request of 8 frames on an idle core; and the bytes
 * between edge and core, counted on the wire.
 */
export async function benchCore(): Promise<Rows> {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  try {
    await writeBenchAvatars(root);
    return [await measure(root, "demo"), await measure(root, "full")];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function measure(root: string, id: "demo" | "full") {
  const threads = availableParallelism();
  const config = {
    models_root: root,
    server: { port: 0 },
    gpus: { cpu_threads_per_worker: threads },
  };
  const running = await startCore(parseCoreConfig(config, "bench"), silentLogger);
  const caller = startCallerProcess(running.url);
  const bare = await openBareLoops(root, id, threads);
  try {
    const frames = FRAMES_PER_ROUND[id];
    await caller.speak(id, frames);
    await bare.runBoth(5);
    const core: number[] = [];
    const unet: number[] = [];
    const both: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const spoken = await caller.speak(id, frames);
      if (spoken.error) throw new Error(spoken.error);
      core.push((1000 * frames) / spoken.ms);
      unet.push(await bare.runUnet(frames));
      both.push(await bare.runBoth(frames));
    }
    const against = (loop: number[]) => round(median(core.map((fps, i) => fps / loop[i]!)), 3);
    const added: number[] = [];
    for (let i = 0; i < SMALL_REQUESTS[id]; i++) {
      const { ms, computeMs, error } = await caller.speak(id, 8, i % 100);
      if (error) throw new Error(error);
      added.push(ms - computeMs);
    }
    const wire = await countBytes(running.url, id);
    return {
      avatar: id,
      "fps, InferSpeech": round(median(core), 2),
      "fps, bare U-Net": round(median(unet), 2),
      "core / bare U-Net": against(unet),
      "fps, bare encoder and U-Net": round(median(both), 2),
      "core / bare encoder and U-Net": against(both),
      "ms added to 8 frames, p50": round(median(added), 2),
      "KB up / frame": round(wire.up / 1000, 1),
      "KB down / frame": round(wire.down / 1000, 1),
      "of the published 3.7 MB": `1/${Math.round(PUBLISHED_BYTES_PER_FRAME / (wire.up + wire.down))}`,
      "KB down, deflated": round(wire.deflated / 1000, 1),
      "KB down, PNG": round(wire.png / 1000, 1),
    };
  } finally {
    await bare.release();
    caller.close();
    await running.stop();
  }
}

/** The models with nothing around them: a session each, their inputs filled once. */
async function openBareLoops(root: string, id: string, threads: number) {
  const { prefix, manifest } = await readAvatar(createFolderStore(root), id);
  const open = (file: string) =>
    createSession({ path: join(root, prefix, file) }, { providers: ["cpu"], deviceId: 0, threads });
  const unet = await open(manifest.model.file);
  const encoder = await open(manifest.audioEncoder.file);
  const [visual, audio] = unet.inputNames as [string, string];
  const inputs = {
    [visual]: floatTensor(new Float32Array(VISUAL_TENSOR_SIZE).fill(0.5), [1, 6, 320, 320]),
    [audio]: floatTensor(new Float32Array(AUDIO_TENSOR_SIZE).fill(0.1), [1, 32, 16, 16]),
  };
  const mel = floatTensor(new Float32Array(MEL_BANDS * ENCODER_ROWS), [
    1,
    1,
    MEL_BANDS,
    ENCODER_ROWS,
  ]);
  const timed = async (count: number, run: () => Promise<unknown>) => {
    const started = performance.now();
    for (let n = 0; n < count; n++) await run();
    return (1000 * count) / (performance.now() - started);
  };
  return {
    /** @returns runs per second */
    runUnet: (count: number) => timed(count, () => unet.run(inputs)),
    /** @returns frames per second: one run of each makes one */
    runBoth: (count: number) =>
      timed(count, async () => {
        await encoder.run({ [encoder.inputNames[0]!]: mel });
        await unet.run(inputs);
      }),
    async release() {
      await unet.release();
      await encoder.release();
    },
  };
}

/** Ten seconds of speech through a relay that counts, as the edge asks for it: windows of 50 frames. */
async function countBytes(url: string, modelId: string) {
  const frames = 50;
  const relay = await startRelay(new URL(url));
  const sessionManager = new Http2SessionManager(relay.url);
  try {
    const transport = createGrpcTransport({
      baseUrl: relay.url,
      acceptCompression: [],
      sessionManager,
    });
    const codecs = createImageCodecs();
    const rpc = createClient(InferenceService, transport);
    const { start, end } = samplesForFrames(50, 50 + frames);
    const call = rpc.inferSpeech({
      modelId,
      speech: new Uint8Array(tone(160_000).slice(start, end).buffer),
      speechStart: BigInt(start),
      firstFrame: 50,
      backgroundIndices: Array.from({ length: frames }, (_, i) => i % 4),
    });
    let deflated = 0;
    let png = 0;
    for await (const { pixels, width, height } of call) {
      deflated += deflateSync(pixels, { level: 1 }).length;
      const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
      for (let i = 0; i < width * height; i++) rgba.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
      png += (await codecs.encodePng({ width, height, data: rgba })).length;
    }
    return {
      up: relay.up / frames,
      down: relay.down / frames,
      deflated: deflated / frames,
      png: png / frames,
    };
  } finally {
    sessionManager.abort();
    await relay.close();
  }
}

async function startRelay({ hostname, port }: URL) {
  const counts = { up: 0, down: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    near.on("data", (bytes) => {
      counts.up += bytes.length;
    });
    far.on("data", (bytes) => {
      counts.down += bytes.length;
    });
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    get up() {
      return counts.up;
    },
    get down() {
      return counts.down;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
