import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { AvatarError } from "../avatar-error.ts";
import type { Rectangle } from "../rectangle.ts";
import { parseLandmarks, rectangleFromLandmarks } from "./landmarks.ts";
import { type FrameDataset, readFrameFolder, readText } from "./synctalk.ts";
import { readVideoFrames } from "./video-frames.ts";

const FRAME_FOLDERS = ["full_body_img", "frames"];
const VIDEO = "full_body_video.mp4";
const RECTANGLE_FILES = ["crop_rects.json", "cache/crop_rectangles.json"];
const UNETS = [
  "checkpoint/model_best.onnx",
  "models/generator.onnx",
  "models/model_best.onnx",
  "model_best.onnx",
  "model.onnx",
];
const ENCODERS = ["models/audio_encoder.onnx", "audio_encoder.onnx"];

/** `[x1, y1, x2, y2]`, bare or under `rect`, or the four by name. */
const rectangleSchema = z
  .union([
    z.tuple([z.number(), z.number(), z.number(), z.number()]),
    z.object({ rect: z.tuple([z.number(), z.number(), z.number(), z.number()]) }),
    z.object({ x1: z.number(), y1: z.number(), x2: z.number(), y2: z.number() }),
    z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() }),
  ])
  .transform((value): Rectangle => {
    if ("width" in value)
      return truncated(value.x, value.y, value.x + value.width, value.y + value.height);
    if ("x1" in value) return truncated(value.x1, value.y1, value.x2, value.y2);
    return "rect" in value ? truncated(...value.rect) : truncated(...value);
  });

/** By frame index, as a list or as a dictionary, bare or under `rects`. */
const rectanglesByFrame = z.union([
  z.array(rectangleSchema),
  z.record(z.string().regex(/^[0-9]+$/), rectangleSchema),
]);
const rectanglesSchema = z.union([
  rectanglesByFrame,
  z.object({ rects: rectanglesByFrame }).transform(({ rects }) => rects),
]);

/** What of `package_info.json` matters here. */
const packageInfoSchema = z.object({ onnx: z.object({ file: z.string() }).optional() });

/** A package's frames, and its models where they lie at a known place. */
export interface WebcodectestPackage extends FrameDataset {
  readonly modelPath: string | null;
  readonly encoderPath: string | null;
}

/**
 * A webcodectest package: `package_info.json`, rectangles in `crop_rects.json`
 * or `cache/crop_rectangles.json` (else from `landmarks/`), frames in a folder
 * or in `full_body_video.mp4`.
 * @throws AvatarError `invalid_source` naming the file
 */
export async function readWebcodectestPackage(dir: string): Promise<WebcodectestPackage> {
  const info = parsePackageInfo(
    await readText(join(dir, "package_info.json")),
    join(dir, "package_info.json"),
  );
  const rectangleOf = await readRectangles(dir);
  // Servers of this layout make an empty folder and fill it from the video.
  const folder = firstOf(
    dir,
    FRAME_FOLDERS.filter((name) => hasFiles(join(dir, name))),
  );
  const video = join(dir, VIDEO);
  if (folder === null && !existsSync(video)) {
    throw new AvatarError(
      "invalid_source",
      `${dir} has no frames: expected a folder ${FRAME_FOLDERS.join(" or ")}, or ${VIDEO}`,
    );
  }
  const dataset =
    folder === null
      ? await readVideoFrames(video, rectangleOf)
      : await readFrameFolder(folder, rectangleOf);
  // The path in package_info.json may have been written on Windows.
  const named = info.onnx?.file.replaceAll("\\", "/");
  const unets = named === undefined ? UNETS : [named, ...UNETS];
  return { ...dataset, modelPath: firstOf(dir, unets), encoderPath: firstOf(dir, ENCODERS) };
}

async function readRectangles(dir: string): Promise<(n: number) => Promise<Rectangle>> {
  const path = firstOf(dir, RECTANGLE_FILES);
  if (path === null) {
    return async (n) => {
      const file = join(dir, "landmarks", `${n}.lms`);
      return rectangleFromLandmarks(parseLandmarks(await readText(file), file), file);
    };
  }
  const rectangles = parseRectangles(await readText(path), path);
  return async (n) => {
    const rectangle = rectangles[n];
    if (rectangle) return rectangle;
    throw new AvatarError("invalid_source", `${path} has no rectangle for frame ${n}`);
  };
}

function parseRectangles(
  json: string,
  path: string,
): Readonly<Record<number, Rectangle | undefined>> {
  const result = rectanglesSchema.safeParse(parseJson(json, path));
  if (result.success) return result.data;
  throw new AvatarError(
    "invalid_source",
    `${path}: expected a rectangle [x1, y1, x2, y2] for each frame index`,
  );
}

function parsePackageInfo(json: string, path: string): z.infer<typeof packageInfoSchema> {
  const result = packageInfoSchema.safeParse(parseJson(json, path));
  if (result.success) return result.data;
  throw new AvatarError("invalid_source", `${path}: onnx.file is not the path of a model`);
}

function parseJson(json: string, path: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new AvatarError("invalid_source", `${path} is not JSON`, { cause });
  }
}

function hasFiles(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).length > 0;
}

function truncated(x1: number, y1: number, x2: number, y2: number): Rectangle {
  const [x, y] = [Math.trunc(x1), Math.trunc(y1)];
  return { x, y, width: Math.trunc(x2) - x, height: Math.trunc(y2) - y };
}

function firstOf(dir: string, names: readonly string[]): string | null {
  const name = names.find((candidate) => existsSync(join(dir, candidate)));
  return name === undefined ? null : join(dir, name);
}
