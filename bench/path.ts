import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { readAvatar } from "../avatar/catalogue.ts";
import { silentLogger } from "../avatar/logger.ts";
import { createFolderStore } from "../avatar/runtime/folder-store.ts";
import { ANYONE } from "../edge/access/caller.ts";
import { decodeSpeech } from "../edge/audio/decode-audio.ts";
import { parseEdgeConfig } from "../edge/config.ts";
import { createConnectCoreClient } from "../edge/core/connect-core-client.ts";
import type { CoreTimes } from "../edge/core/core-client.ts";
import { createPreparerPool } from "../edge/runtime/preparer-pool.ts";
import { streamMouths } from "../edge/speak/mouth-stream.ts";
import { openComposers } from "../edge/speak/open-composers.ts";
import { Speaker } from "../edge/speak/speaker.ts";
import { cutSpeechWindows } from "../edge/speak/speech-windows.ts";
import { AUDIO_TENSOR_SIZE } from "../gpu-core/audio/feature-extractor.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { startCore } from "../gpu-core/main.ts";
import { FloatUnet, VISUAL_TENSOR_SIZE } from "../gpu-core/model/float-unet.ts";
import { writeBenchAvatars } from "./models/bench-avatars.ts";
import type { Rows } from "./rows.ts";

const SAMPLE = fileURLToPath(new URL("../avatar/demo/sample.wav", import.meta.url));
const SPEECH_SECONDS = { demo: 10, full: 3 };

/**
 * From a WAV file to JPEG frames, through a core and the edge's own path:
 * frames per second, where the time goes, and beside it a bare loop of
 * onnxruntime over the same U-Net with the same threads.
 */
export async function benchPath(): Promise<Rows> {
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
  const config = parseCoreConfig(
    { models_root: root, server: { port: 0 }, gpus: { cpu_threads_per_worker: threads } },
    "bench",
  );
  const bare = await bareLoop(root, id, threads);
  const running = await startCore(config, silentLogger);
  const preparer = createPreparerPool(threads);
  const sessionManager = new Http2SessionManager(running.url);
  try {
    const transport = createGrpcTransport({
      baseUrl: running.url,
      acceptCompression: [],
      sessionManager,
    });
    const core = createConnectCoreClient(transport, 120_000);
    const store = createFolderStore(root);
    const avatar = await readAvatar(store, id);
    const signal = new AbortController().signal;
    const options = { signal, requestId: "bench" };
    const speech = async () => readSpeech(SPEECH_SECONDS[id]);
    const now = () => performance.now();
    const edgeConfig = parseEdgeConfig({}, "bench");
    const { composers } = openComposers({ config: edgeConfig, store, preparer, now });
    const speaker = new Speaker({
      core,
      composers,
      maxSpeaking: 1,
      now,
    });
    const request = { caller: ANYONE, avatar, start: 0, format: "jpeg", ...options } as const;
    // Loads the model and prepares the backgrounds: both happen once per avatar.
    for await (const _ of speaker.speak({ ...request, speech: asStream(await speech()) }));

    const coreTimes: CoreTimes[] = [];
    const samples = await speech();
    const coreStarted = performance.now();
    let frames = 0;
    const windows = cutSpeechWindows(asStream(samples));
    for await (const mouth of streamMouths(core, avatar.summary, windows, 0, options)) {
      frames++;
      if (mouth.times) coreTimes.push(mouth.times);
    }
    const coreMs = performance.now() - coreStarted;

    const edge = { background: 0, splice: 0 };
    const started = performance.now();
    for await (const frame of speaker.speak({ ...request, speech: asStream(samples) })) {
      edge.background += frame.times.backgroundMs;
      edge.splice += frame.times.spliceMs;
    }
    const wallMs = performance.now() - started;
    const stage = (pick: (times: CoreTimes) => number) =>
      coreTimes.reduce((sum, times) => sum + pick(times), 0);
    const stages = {
      mel: stage((times) => times.melMs),
      encoder: stage((times) => times.encoderMs),
      prepare: stage((times) => times.prepareMs),
      "U-Net": stage((times) => times.unetMs),
      fit: stage((times) => times.fitMs),
      ...edge,
    };
    const atCore = stages.mel + stages.encoder + stages.prepare + stages["U-Net"] + stages.fit;
    const wire = Math.max(0, coreMs - atCore);
    const all = Object.values({ ...stages, wire }).reduce((sum, ms) => sum + ms, 0);
    const share = (ms: number) => `${((100 * ms) / all).toFixed(1)} %`;
    return {
      avatar: id,
      frames,
      "fps, WAV to JPEG": round((1000 * frames) / wallMs),
      "fps, core alone": round((1000 * frames) / coreMs),
      "fps, bare onnxruntime": round(bare),
      "core / bare": round((1000 * frames) / coreMs / bare),
      ...Object.fromEntries(Object.entries({ ...stages, wire }).map(([k, ms]) => [k, share(ms)])),
    };
  } finally {
    sessionManager.abort();
    await preparer.stop();
    await running.stop();
  }
}

/** @returns U-Net runs per second with nothing around them */
async function bareLoop(root: string, id: string, threads: number): Promise<number> {
  const { prefix, manifest } = await readAvatar(createFolderStore(root), id);
  const path = join(root, prefix, manifest.model.file);
  const unet = await FloatUnet.load({ path }, { providers: ["cpu"], deviceId: 0, threads }, 1);
  const visual = new Float32Array(VISUAL_TENSOR_SIZE).fill(0.5);
  const audio = new Float32Array(AUDIO_TENSOR_SIZE).fill(0.1);
  const runs = id === "full" ? 25 : 100;
  const started = performance.now();
  for (let n = 0; n < runs; n++) await unet.run(visual, audio, 1);
  const perSecond = (1000 * runs) / (performance.now() - started);
  await unet.release();
  return perSecond;
}

async function readSpeech(seconds: number): Promise<Int16Array> {
  const file = new Uint8Array(await readFile(SAMPLE));
  const pieces: number[] = [];
  for await (const samples of decodeSpeech(asStream(file), "audio/wav", {})) {
    pieces.push(...samples);
  }
  return Int16Array.from(pieces.slice(0, seconds * 16_000));
}

async function* asStream<T>(value: T): AsyncGenerator<T> {
  yield value;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
