import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { readDemoSource } from "../avatar/demo/demo-source.ts";
import type { RgbaImage, RgbImage } from "../avatar/image/types.ts";
import type { Rectangle } from "../avatar/rectangle.ts";
import { composite } from "../test/support/composite.ts";

/** A frame with another frame's mouth in it: what an avatar that speaks needs coded. */
export interface Material {
  readonly name: string;
  readonly background: RgbImage & { readonly channels: 3 };
  readonly region: Rectangle;
  /** 8-bit RGB [region.height, region.width, 3] */
  readonly mouth: Uint8Array;
  /** The frame that goes out, for coders that know no parts. */
  readonly composited: RgbImage;
}

/** A filmed person, where the file is there (BENCH_FILM names another), and the demo avatar. */
export const FILM =
  process.env.BENCH_FILM ??
  fileURLToPath(new URL("../../shared/golden/talking-head.mp4", import.meta.url));
export const FILM_MOUTH = { x: 260, y: 520, width: 200, height: 200 };
export const FILM_SIZE = { width: 720, height: 974 };
const DEMO_FRAMES = [10, 40] as const;

export async function readMaterials(): Promise<Material[]> {
  const materials: Material[] = [];
  const film = await readFilm();
  if (film) materials.push(toMaterial("filmed 720x974", film[0], film[1], FILM_MOUTH));
  else console.log("the film is not here, or ffmpeg is not installed: the demo avatar alone");
  materials.push(await readDemo());
  return materials;
}

/** The frame at another size; the mouth keeps its size in pixels. */
export async function scaled(
  { background, region, mouth }: Material,
  width: number,
  height: number,
): Promise<Material> {
  const image = await resize(background, width, height);
  const x = Math.floor((region.x * width) / background.width / 2) * 2;
  const y = Math.floor((region.y * height) / background.height / 2) * 2;
  return withMouth(`${width}x${height}`, image, { ...region, x, y }, mouth);
}

/** The mouth at another size; the frame stays. */
export async function withMouthSize(material: Material, size: number): Promise<Material> {
  const { background, region, mouth } = material;
  const image = { width: region.width, height: region.height, data: mouth };
  const { data } = await resize(image, size, size);
  const x = Math.max(0, region.x + Math.floor((region.width - size) / 2));
  const y = Math.max(0, region.y + Math.floor((region.height - size) / 2));
  const placed = { x, y, width: size, height: size };
  return withMouth(`mouth ${size}x${size}`, background, placed, data);
}

async function resize(image: RgbImage, width: number, height: number): Promise<RgbImage> {
  const raw = { width: image.width, height: image.height, channels: 3 } as const;
  const data = await sharp(image.data, { raw })
    .resize(width, height, { fit: "fill" })
    .raw()
    .toBuffer();
  return { width, height, data: new Uint8Array(data) };
}

async function readFilm(): Promise<[RgbImage, RgbImage] | null> {
  if (!existsSync(FILM)) return null;
  const args = ["-v", "error", "-i", FILM, "-vf", "select=eq(n\\,20)+eq(n\\,60)", "-vsync", "0"];
  args.push("-f", "rawvideo", "-pix_fmt", "rgb24", "-");
  const bytes = FILM_SIZE.width * FILM_SIZE.height * 3;
  try {
    const { stdout } = await promisify(execFile)("ffmpeg", args, {
      encoding: "buffer",
      maxBuffer: 3 * bytes,
    });
    const frame = (n: number) => ({
      ...FILM_SIZE,
      data: new Uint8Array(stdout.subarray(n * bytes, (n + 1) * bytes)),
    });
    return [frame(0), frame(1)];
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

async function readDemo(): Promise<Material> {
  const frames: { image: RgbImage; rectangle: Rectangle }[] = [];
  let n = 0;
  for await (const { image, rectangle } of readDemoSource().frames()) {
    if (n === DEMO_FRAMES[0] || n === DEMO_FRAMES[1]) frames.push({ image, rectangle });
    if (n++ === DEMO_FRAMES[1]) break;
  }
  const [background, other] = frames;
  if (!background || !other) throw new Error("the demo avatar has too few frames");
  return toMaterial("demo 1280x720", background.image, other.image, background.rectangle);
}

function toMaterial(
  name: string,
  background: RgbImage,
  other: RgbImage,
  region: Rectangle,
): Material {
  const mouth = new Uint8Array(region.width * region.height * 3);
  for (let row = 0; row < region.height; row++) {
    const from = ((region.y + row) * other.width + region.x) * 3;
    mouth.set(other.data.subarray(from, from + region.width * 3), row * region.width * 3);
  }
  return withMouth(name, background, region, mouth);
}

function withMouth(name: string, image: RgbImage, region: Rectangle, mouth: Uint8Array): Material {
  const background = { ...image, channels: 3 } as const;
  const data = composite(background, region, mouth, 0);
  const composited = { width: image.width, height: image.height, data };
  return { name, background, region, mouth, composited };
}

/** The same, opaque, for coders that want four channels. */
export function toRgba({ width, height, data }: RgbImage): RgbaImage {
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from]!;
    rgba[to + 1] = data[from + 1]!;
    rgba[to + 2] = data[from + 2]!;
  }
  return { width, height, data: rgba };
}
