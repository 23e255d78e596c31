import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readDemoSource } from "../../avatar/demo/demo-source.ts";
import type { RgbImage } from "../../avatar/image/types.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import { intersectFrame, type Rectangle } from "../../avatar/rectangle.ts";
import type { BackgroundFrames } from "../../edge/compositor/h264/encode-track.ts";
import type { Picture } from "../../edge/compositor/h264/picture.ts";
import { PictureConverter } from "../../edge/compositor/h264/rgb-to-picture.ts";
import { composite } from "../../test/support/composite.ts";
import { FILM, FILM_MOUTH, FILM_SIZE } from "../material.ts";

/** A loop in which someone speaks all the time. */
export interface Clip {
  readonly name: string;
  readonly framesPerSecond: number;
  readonly background: BackgroundFrames;
  /** 8-bit RGB [region.height, region.width, 3] of a position. */
  mouthAt(position: number): Uint8Array;
  /** The position with its mouth: what whole-frame coders are given, and what all are compared with. */
  compositeAt(position: number): Picture;
}

const FILM_FRAMES_PER_SECOND = 30;
const DEMO_FRAMES_PER_SECOND = 25;
/** How many positions are measured: two groups of two seconds, and a second time of each. */
export const CLIP_SECONDS = 8;
/** Of the demo avatar, mouths come from the frame so much later: its loop keeps the mouth shut. */
const DEMO_SHIFT = 40;

export async function readClips(): Promise<Clip[]> {
  const clips = [await readDemo()];
  if (hasFilm()) clips.unshift(await readFilm());
  else console.log("the film is not here: the demo avatar alone");
  return clips;
}

export function hasFilm(): boolean {
  return existsSync(FILM);
}

/**
 * The film, its mouth being what is spliced.
 * @param height to which it is scaled, mouth and all
 * @param frames how many positions there are
 */
export async function readFilm(
  height = FILM_SIZE.height,
  frames = FILM_FRAMES_PER_SECOND * CLIP_SECONDS,
): Promise<Clip> {
  const even = (length: number) => 2 * Math.round((length * height) / FILM_SIZE.height / 2);
  const size = { width: even(FILM_SIZE.width), height };
  const region = {
    x: even(FILM_MOUTH.x),
    y: even(FILM_MOUTH.y),
    width: even(FILM_MOUTH.width),
    height: even(FILM_MOUTH.height),
  };
  const args = ["-frames:v", String(frames)];
  if (height !== FILM_SIZE.height) args.push("-vf", `scale=${size.width}:${height}:flags=bicubic`);
  const images: RgbImage[] = [];
  const bytes = size.width * size.height * 3;
  for await (const data of readRaw(FILM, "rgb24", bytes, args)) images.push({ ...size, data });
  return toClip({
    name: `filmed ${size.width}x${size.height}`,
    framesPerSecond: FILM_FRAMES_PER_SECOND,
    images,
    regions: images.map(() => region),
    shift: 0,
    count: frames,
  });
}

/** The demo avatar, which speaks. */
export async function readDemo(): Promise<Clip> {
  const images: RgbImage[] = [];
  const regions: Rectangle[] = [];
  for await (const { image, rectangle } of readDemoSource().frames()) {
    images.push(image);
    regions.push(intersectFrame(rectangle, image.width, image.height)!);
  }
  return toClip({
    name: "demo 1280x720",
    framesPerSecond: DEMO_FRAMES_PER_SECOND,
    images,
    regions,
    shift: DEMO_SHIFT,
    count: DEMO_FRAMES_PER_SECOND * CLIP_SECONDS,
  });
}

interface Footage {
  readonly name: string;
  readonly framesPerSecond: number;
  readonly images: readonly RgbImage[];
  readonly regions: readonly Rectangle[];
  /** Of the frame whose mouth is shown. */
  readonly shift: number;
  /** Positions of the loop. */
  readonly count: number;
}

function toClip({ name, framesPerSecond, images, regions, shift, count }: Footage): Clip {
  const { width, height } = images[0]!;
  const converter = new PictureConverter();
  const order = Array.from({ length: count }, (_, n) => backgroundIndex(n, images.length));
  const mouthAt = (position: number) => {
    const frame = order[position]!;
    const { data } = images[(frame + shift) % images.length]!;
    const region = regions[frame]!;
    const mouth = new Uint8Array(region.width * region.height * 3);
    for (let row = 0; row < region.height; row++) {
      const from = ((region.y + row) * width + region.x) * 3;
      mouth.set(data.subarray(from, from + region.width * 3), row * region.width * 3);
    }
    return mouth;
  };
  return {
    name,
    framesPerSecond,
    background: {
      width,
      height,
      order,
      regionOf: (frame) => regions[frame]!,
      read: async (frame) => converter.convert(images[frame]!),
    },
    mouthAt,
    compositeAt(position) {
      const frame = order[position]!;
      const background = { ...images[frame]!, channels: 3 } as const;
      const data = composite(background, regions[frame]!, mouthAt(position), 0);
      return converter.convert({ width, height, data });
    },
  };
}

/**
 * Frames of a video as ffmpeg decodes them.
 * @param output options of ffmpeg
 */
export async function* readRaw(
  file: string,
  format: "rgb24" | "yuv420p",
  frameBytes: number,
  output: readonly string[] = [],
): AsyncGenerator<Uint8Array> {
  const args = ["-v", "error", "-flags", "unaligned", "-i", file, ...output];
  const child = spawn("ffmpeg", [...args, "-f", "rawvideo", "-pix_fmt", format, "-"]);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  let frame = new Uint8Array(frameBytes);
  let filled = 0;
  for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + frameBytes - filled);
      frame.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < frameBytes) continue;
      yield frame;
      frame = new Uint8Array(frameBytes);
      filled = 0;
    }
  }
  if ((await ended) !== 0) throw new Error(`ffmpeg cannot decode ${file}`);
}
