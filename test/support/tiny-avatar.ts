import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import { rgbaToRgb } from "../../avatar/image/crop.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import { BATCH, GraphBuilder } from "../../avatar/onnx/graph-builder.ts";
import {
  add,
  matMul,
  mul,
  reduceMean,
  reshape,
  sigmoid,
  slice,
  tanh,
} from "../../avatar/onnx/operators.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
import { createFolderStaging } from "../../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../../avatar/writer.ts";

export const TINY_WIDTH = 96;
export const TINY_HEIGHT = 80;

/** The last one leaves the frame. */
export const TINY_RECTANGLES: readonly Rectangle[] = [
  { x: 20, y: 20, width: 40, height: 40 },
  { x: 22, y: 21, width: 40, height: 40 },
  { x: 24, y: 20, width: 41, height: 41 },
  { x: 70, y: 50, width: 40, height: 40 },
];

/**
 * A U-Net of no size: every input counts, and it is quick.
 * @param blueOffset added to the blue of its output
 */
export function buildTinyUnet(
  names = { visual: "input", audio: "audio" },
  blueOffset = 0,
): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder("tiny-unet");
  const visual = graph.input(names.visual, [BATCH, 6, 320, 320]);
  const audio = graph.input(names.audio, [BATCH, 32, 16, 16]);
  const loudness = reduceMean(graph, audio, [1, 2, 3]);
  const crop = slice(graph, visual, 1, 0, 3);
  const masked = slice(graph, visual, 1, 3, 6);
  const mixed = add(graph, mul(graph, crop, 2), mul(graph, masked, -1));
  const whole = sigmoid(graph, add(graph, add(graph, mixed, mul(graph, loudness, 3)), -0.5));
  const output =
    blueOffset === 0
      ? whole
      : graph.node("Add", [whole, graph.float32([blueOffset, 0, 0], [1, 3, 1, 1])]);
  graph.output("output", output, [BATCH, 3, 320, 320]);
  return graph.build();
}

export function buildTinyEncoder(): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder("tiny-encoder");
  const mel = graph.input("mel_spectrogram", [BATCH, 1, 80, 16]);
  const weights = Float32Array.from(
    { length: 1280 * 512 },
    (_, i) => (0.3 + 0.2 * Math.sin(i * 1.7)) / 1280,
  );
  const flat = reshape(graph, mel, [-1, 1280]);
  const features = tanh(graph, matMul(graph, flat, graph.float32(weights, [1280, 512])));
  graph.output("audio_features", features, [BATCH, 512]);
  return graph.build();
}

export function tinyFrame(n: number): RgbaImage {
  const data = new Uint8ClampedArray(TINY_WIDTH * TINY_HEIGHT * 4);
  for (let i = 0; i < data.length; i += 4) {
    const x = (i / 4) % TINY_WIDTH;
    const y = Math.floor(i / 4 / TINY_WIDTH);
    data.set([(x * 2 + 9 * n) % 256, (y * 3) % 256, (x * y + 31 * n) % 256, 255], i);
  }
  return { width: TINY_WIDTH, height: TINY_HEIGHT, data };
}

/** Writes avatar `id` below `root`. @returns its version */
export async function writeTinyAvatar(
  root: string,
  id: string,
  models: { unet?: Uint8Array; encoder?: Uint8Array } = {},
  tenant: string | null = null,
): Promise<string> {
  const codecs = createImageCodecs();
  const source = {
    id,
    title: `Tiny ${id}`,
    tenant,
    frameCount: TINY_RECTANGLES.length,
    extension: "png",
    async *frames() {
      for (const [n, rectangle] of TINY_RECTANGLES.entries()) {
        const image = tinyFrame(n);
        yield { file: await codecs.encodePng(image), image: rgbaToRgb(image), rectangle };
      }
    },
    model: models.unet ?? buildTinyUnet(),
    audioEncoder: models.encoder ?? buildTinyEncoder(),
  } as const;
  return writeAvatar(source, await createFolderStaging(root, id));
}

/** A folder that is gone after the test. */
export async function temporaryFolder(t: { after(end: () => Promise<void>): void }) {
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A gliding tone with pauses: something for every mel band. */
export function tone(samples: number): Int16Array {
  return Int16Array.from({ length: samples }, (_, n) => {
    const envelope = Math.max(0, Math.sin(n / 4000));
    return Math.round(12_000 * envelope * Math.sin((n * (1 + n / 200_000)) / 9));
  });
}

/** 16-bit mono WAV at 16 kHz. */
export function wavFile(samples: Int16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(44 + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const text = (at: number, value: string) => bytes.set(new TextEncoder().encode(value), at);
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 16_000, true);
  view.setUint32(28, 32_000, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  for (const [n, sample] of samples.entries()) view.setInt16(44 + 2 * n, sample, true);
  return bytes;
}
