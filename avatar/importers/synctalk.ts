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
}

/**
 * A SyncTalk_2D dataset folder: `full_body_img/{n}.jpg` and
 * `landmarks/{n}.lms`, counted from 0.
 * @throws AvatarError `invalid_source` naming the file
 */
export async function readSynctalkDataset(dir: string): Promise<FrameDataset> {
  return readFrameFolder(join(dir, "full_body_img"), async (n) => {
    const path = join(dir, "landmarks", `${n}.lms`);
    return rectangleFromLandmarks(parseLandmarks(await readText(path), path), path);
  });
}

/** Frames `{n}.jpg` or `.png` of a folder, each with its mouth's rectangle. */
export async function readFrameFolder(
  folder: string,
  rectangleOf: (n: number) => Promise<Rectangle>,
): Promise<FrameDataset> {
  const files = await listNumbered(folder);
  const extension = files[0]!.endsWith(".png") ? "png" : "jpg";
  return {
    frameCount: files.length,
    extension,
    async *frames() {
      const codecs = createImageCodecs();
      for (const [n, name] of files.entries()) {
        const path = join(folder, name);
        const file = await readFile(path);
        try {
          const image = rgbaToRgb(await codecs.decode(file));
          yield { file, image, rectangle: await rectangleOf(n) };
        } catch (cause) {
          if (!(cause instanceof ImageError)) throw cause;
          throw new AvatarError("invalid_source", `${path}: ${cause.message}`, { cause });
        }
      }
    },
  };
}

/** Files `0.jpg`, `1.jpg`, ... of one kind, without a gap. */
async function listNumbered(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new AvatarError("invalid_source", `there is no folder ${folder}`, { cause });
  }
  const numbered = names
    .map((name) => ({ name, match: /^0*([0-9]+)\.(png|jpg|jpeg)$/i.exec(name) }))
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
  return numbered.map(({ name }) => name);
}

export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AvatarError("invalid_source", `there is no file ${path}`, { cause });
  }
}
