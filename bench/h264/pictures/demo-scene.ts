import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { readAvatar } from "../../../avatar/catalogue.ts";
import { DEMO_ID, readDemoSource } from "../../../avatar/demo/demo-source.ts";
import type { RgbImage } from "../../../avatar/image/types.ts";
import { silentLogger } from "../../../avatar/logger.ts";
import { backgroundIndex } from "../../../avatar/playback.ts";
import { intersectFrame, type Rectangle } from "../../../avatar/rectangle.ts";
import { createFolderStaging, createFolderStore } from "../../../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../../../avatar/writer.ts";
import { decodeSpeech } from "../../../edge/audio/decode-audio.ts";
import type { BackgroundFrames } from "../../../edge/compositor/h264/encode-track.ts";
import { PictureConverter } from "../../../edge/compositor/h264/rgb-to-picture.ts";
import { createConnectCoreClient } from "../../../edge/core/connect-core-client.ts";
import { streamMouths } from "../../../edge/speak/mouth-stream.ts";
import { cutSpeechWindows } from "../../../edge/speak/speech-windows.ts";
import { parseCoreConfig } from "../../../gpu-core/config.ts";
import { startCore } from "../../../gpu-core/main.ts";

const SAMPLE = fileURLToPath(new URL("../../../avatar/demo/sample.wav", import.meta.url));
const SAMPLES_PER_FRAME = 640;
/** `sample.wav` begins with silence. */
const SILENT_SAMPLES = 6400;
const CALL_LIMIT_MS = 60_000;

/** The demo avatar, and what its model paints while it speaks. */
export interface DemoScene {
  readonly framesPerSecond: number;
  readonly images: readonly RgbImage[];
  readonly regions: readonly Rectangle[];
  /** Speech begins at this position of the loop. */
  readonly start: number;
  /** From `start` on, 8-bit RGB [region.height, region.width, 3]. */
  readonly mouths: readonly Uint8Array[];
  /** The loop's first positions. */
  background(count: number): BackgroundFrames;
}

/** @param count frames of speech */
export async function readDemoScene(start: number, count: number): Promise<DemoScene> {
  const images: RgbImage[] = [];
  const regions: Rectangle[] = [];
  for await (const { image, rectangle } of readDemoSource().frames()) {
    images.push(image);
    regions.push(intersectFrame(rectangle, image.width, image.height)!);
  }
  const converter = new PictureConverter();
  const { width, height } = images[0]!;
  return {
    framesPerSecond: 25,
    images,
    regions,
    start,
    mouths: await speak(start, count),
    background: (positions) => ({
      width,
      height,
      order: Array.from({ length: positions }, (_, n) => backgroundIndex(n, images.length)),
      regionOf: (frame) => regions[frame]!,
      read: async (frame) => converter.convert(images[frame]!),
    }),
  };
}

/** The mouths of the demo's own U-Net, from a core. */
async function speak(start: number, count: number): Promise<Uint8Array[]> {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-pictures-"));
  try {
    await writeAvatar(readDemoSource(), await createFolderStaging(root, DEMO_ID));
    const config = parseCoreConfig({ models_root: root, server: { port: 0 } }, "pictures");
    const running = await startCore(config, silentLogger);
    const sessionManager = new Http2SessionManager(running.url);
    try {
      const transport = createGrpcTransport({ baseUrl: running.url, sessionManager });
      const core = createConnectCoreClient(transport, CALL_LIMIT_MS);
      const avatar = await readAvatar(createFolderStore(root), DEMO_ID);
      const speech = await readSpeech(count);
      const windows = cutSpeechWindows(speech);
      const options = { signal: AbortSignal.timeout(CALL_LIMIT_MS), requestId: "pictures" };
      const mouths: Uint8Array[] = [];
      for await (const mouth of streamMouths(core, avatar.summary, windows, start, options)) {
        mouths.push(mouth.pixels);
      }
      return mouths.slice(0, count);
    } finally {
      sessionManager.abort();
      await running.stop();
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function readSpeech(frames: number): Promise<AsyncGenerator<Int16Array>> {
  const file = new Uint8Array(await readFile(SAMPLE));
  const samples: number[] = [];
  for await (const piece of decodeSpeech(once(file), "audio/wav", {})) samples.push(...piece);
  const end = SILENT_SAMPLES + frames * SAMPLES_PER_FRAME;
  return once(Int16Array.from(samples.slice(SILENT_SAMPLES, end)));
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
