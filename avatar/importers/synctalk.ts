import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { AvatarError } from "../avatar-error.ts";
import { createImageCodecs } from "../image/codecs.ts";
import { rgbaToRgb } from "../image/crop.ts";
import { ImageError } from "../image/image-error.ts";
import type { Rectangle } from "../rectangle.ts";
import type { SourceFrame } from "../writer.ts";
import { parseLandmarks, rectangleFromLandmarks } from "./landmarks.ts";

/** The frames of a dataset, still in their files. */
export interface FrameDataset {
  readonly frameCount: number;
  readonly extension: "png" | "jpg";
  frames(): AsyncIterable<SourceFrame>;
  /** Removes what was made to read them. */
  close(): Promise<void>;
}

/**
 * A SyncTalk_2D dataset folder: `full_body_img/{n}.jpg` and
 * `landmarks/{n}.lms`, which belong together by their number.
 * @throws AvatarError `invalid_source` naming the file
 */
export async function readSynctalkDataset(dir: string): Promise<FrameDataset> {
  const landmarks = join(dir, "landmarks");
  const dataset = await readFrameFolder(join(dir, "full_body_img"), async (_, number) => {
    const path = join(landmarks, `${number}.lms`);
    return rectangleFromLandmarks(parseLandmarks(await readText(path), path), path);
  });
  const names = await readdir(landmarks).catch(() => []);
  const count = names.filter((name) => name.endsWith(".lms")).length;
  // Fewer are told with the frame that has none.
  if (count <= dataset.frameCount) return dataset;
  throw new AvatarError(
    "invalid_source",
    `${landmarks} has ${count} files for ${dataset.frameCount} frames: frames are missing`,
  );
}

/** Where the mouth is in frame `n` of a folder, counted from 0, which has `number` in its name. */
export type RectangleOf = (n: number, number: number) => Promise<Rectangle>;

/**
 * Frames of a folder, each with its mouth's rectangle: `{number}.jpg` or
 * `frame_{number}.jpg`, or .png, zeros before the number allowed.
 */
export async function readFrameFolder(
  folder: string,
  rectangleOf: RectangleOf,
): Promise<FrameDataset> {
  const files = await listNumbered(folder);
  const extension = /\.png$/i.test(files[0]!.name) ? "png" : "jpg";
  return {
    frameCount: files.length,
    extension,
    close: async () => {},
    async *frames() {
      const codecs = createImageCodecs();
      for (const [n, { name, number }] of files.entries()) {
        const path = join(folder, name);
        const file = await readFile(path);
        try {
          const image = rgbaToRgb(await codecs.decode(file));
          yield { file, image, rectangle: await rectangleOf(n, number) };
        } catch (cause) {
          if (!(cause instanceof ImageError)) throw cause;
          throw new AvatarError("invalid_source", `${path}: ${cause.message}`, { cause });
        }
      }
    },
  };
}

/** Files `0.jpg`, `1.jpg`, ... of one kind, without a gap. */
async function listNumbered(folder: string): Promise<{ name: string; number: number }[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new AvatarError("invalid_source", `there is no folder ${folder}`, { cause });
  }
  const numbered = names
    .map((name) => ({ name, match: /^(?:frame_)?0*([0-9]+)\.(png|jpg|jpeg)$/i.exec(name) }))
    .filter(({ match }) => match)
    .map(({ name, match }) => ({ name, number: Number(match![1]), kind: match![2]!.toLowerCase() }))
    .sort((a, b) => a.number - b.number);
  const first = numbered[0];
  if (!first) throw new AvatarError("invalid_source", `${folder} has no frames like 0.jpg`);
  for (const [n, { name, number, kind }] of numbered.entries()) {
    if (kind.startsWith("p") !== first.kind.startsWith("p")) {
      throw new AvatarError(
        "invalid_source",
        `${folder}: ${first.name} and ${name} are of two kinds`,
      );
    }
    if (number !== n + first.number) {
      throw new AvatarError(
        "invalid_source",
        `${folder}: frame ${n + first.number} is missing before ${name}`,
      );
    }
  }
  return numbered;
}

export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AvatarError("invalid_source", `there is no file ${path}`, { cause });
  }
}
