import { createImageCodecs } from "../../../avatar/image/codecs.ts";
import { rgbaToRgb } from "../../../avatar/image/crop.ts";
import type { RgbaImage } from "../../../avatar/image/types.ts";
import { BATCH, GraphBuilder } from "../../../avatar/onnx/graph-builder.ts";
import { add, clip, matMul, mul, reshape, slice } from "../../../avatar/onnx/operators.ts";
import { createFolderStaging } from "../../../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../../../avatar/writer.ts";
import { SeededRandom } from "../../../test/fuzz/random.ts";

/** Where a page finds what a picture says. */
export const FLASH = {
  width: 320,
  height: 240,
  frames: 40,
  /** The number of the frame is a row of squares at the top, in binary, and then its complement. */
  bits: 6,
  square: 16,
  mouth: { x: 120, y: 120, width: 80, height: 80 },
} as const;

/** From one sound to the next, and how long each is: whole frames. */
export const BEEP = { everySamples: 16_000, samples: 3 * 640, firstSample: 7680 } as const;

/** Column of an encoder window that lies in the middle of the frame to which the window belongs. */
const COLUMN = 5;
/** Mean of all mel bands: noise has 0.6, its edges -0.6, silence -4. */
const THRESHOLD = -0.1;
/** Row 8 of 16 is the frame's own; a row is two channels of [16,16]. */
const OWN_CHANNEL = 16;

/** Writes `flash`: white where there is sound in the frame, black where there is none. */
export async function writeFlashAvatar(root: string): Promise<void> {
  const codecs = createImageCodecs();
  const source = {
    id: "flash",
    title: "Flashes where it sounds",
    tenant: null,
    frameCount: FLASH.frames,
    extension: "png",
    async *frames() {
      for (let n = 0; n < FLASH.frames; n++) {
        const image = stampedFrame(n);
        const file = await codecs.encodePng(image);
        yield { file, image: rgbaToRgb(image), rectangle: FLASH.mouth };
      }
    },
    model: flashModel(),
    audioEncoder: levelEncoder(),
  } as const;
  await writeAvatar(source, await createFolderStaging(root, "flash"));
}

function stampedFrame(number: number): RgbaImage {
  const { width, height, bits, square, mouth } = FLASH;
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    // Something that moves, so that pictures have a size worth sending.
    let value = 128 + 60 * Math.sin((x + 2 * number) / 7) * Math.cos((y - number) / 9);
    const cell = Math.floor(x / square);
    if (y < square && cell < 2 * bits) {
      const bit = (number >> (cell % bits)) & 1;
      value = (cell < bits ? bit : 1 - bit) * 255;
    }
    const isInside = x >= mouth.x && x < mouth.x + mouth.width;
    if (isInside && y >= mouth.y && y < mouth.y + mouth.height) value = 0;
    data.set([value, value, value, 255], 4 * i);
  }
  return { width, height, data };
}

/** Feature 0 of a window is the level of one of its mel rows. */
function levelEncoder(): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder("level-encoder");
  const mel = graph.input("mel_spectrogram", [BATCH, 1, 80, 16]);
  const weights = new Float32Array(1280 * 512);
  for (let band = 0; band < 80; band++) weights[(band * 16 + COLUMN) * 512] = 1 / 80;
  const flat = reshape(graph, mel, [-1, 1280]);
  const features = matMul(graph, flat, graph.float32(weights, [1280, 512]));
  graph.output("audio_features", features, [BATCH, 512]);
  return graph.build();
}

function flashModel(): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder("flash");
  const visual = graph.input("input", [BATCH, 6, 320, 320]);
  const audio = graph.input("audio", [BATCH, 32, 16, 16]);
  const own = slice(graph, audio, 1, OWN_CHANNEL, OWN_CHANNEL + 1);
  const level = slice(graph, slice(graph, own, 2, 0, 1), 3, 0, 1);
  const light = clip(graph, mul(graph, add(graph, level, -THRESHOLD), 8), 0, 1);
  const black = mul(graph, slice(graph, visual, 1, 0, 3), 0);
  graph.output("output", add(graph, black, light), [BATCH, 3, 320, 320]);
  return graph.build();
}

/** A short noise each second, at the beginning of a frame. */
export function beeps(seconds: number): Int16Array {
  const noise = noiseOf(seconds);
  return noise.map((sample, n) => (isBeep(n) ? sample : 0));
}

export function noiseOf(seconds: number): Int16Array {
  const random = new SeededRandom(3);
  return Int16Array.from({ length: 16_000 * seconds }, () => 20_000 * (random.unit() - 0.5));
}

function isBeep(n: number): boolean {
  const { everySamples, samples, firstSample } = BEEP;
  return n >= firstSample && (n - firstSample) % everySamples < samples;
}
