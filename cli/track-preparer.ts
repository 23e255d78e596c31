import { AvatarError } from "../avatar/avatar-error.ts";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { ImageError } from "../avatar/image/image-error.ts";
import type { RgbaImage } from "../avatar/image/types.ts";
import type { FrameTrackKind } from "../avatar/manifest.ts";
import type { PlainFrame, TrackPreparer } from "../avatar/publish/frame-preparer.ts";
import type { FrameShape } from "../edge/background/frame-preparer.ts";
import { createPreparerPool } from "../edge/runtime/preparer-pool.ts";

/** What holds for all frames of an avatar. */
export interface TrackSettings {
  readonly width: number;
  readonly height: number;
  readonly softEdge: number;
  readonly jpeg: { readonly quality: number; readonly subsampling: "4:2:0" | "4:4:4" };
}

export interface StoppablePreparer extends TrackPreparer {
  stop(): Promise<void>;
}

/**
 * Raised whenever the preparers of `edge/compositor/` or the PNG codec give
 * other bytes: entries of a publish that was cut off before are then made anew.
 */
const PREPARER_VERSION = "1";

/** Prepares frames for publishing by the edge's own preparers, in threads. */
export function createTrackPreparer(threads: number, settings: TrackSettings): StoppablePreparer {
  const { width, height, softEdge, jpeg } = settings;
  const pool = createPreparerPool(threads);
  const codecs = createImageCodecs();

  async function makeEntry(kind: FrameTrackKind, file: Uint8Array, shape: FrameShape) {
    switch (kind) {
      case "png":
        return pool.prepare(file, shape, { format: "png", softEdge, effort: "full" });
      case "jpeg":
        return pool.prepare(file, shape, { format: "jpeg", softEdge, ...jpeg });
      case "mouth":
        return codecs.encodePng(toRgba(await pool.cutMouth(file, shape), shape));
    }
  }

  return {
    version: PREPARER_VERSION,
    parallel: threads,
    async prepare({ file, region, index }: PlainFrame, kinds) {
      const shape = { width, height, region };
      try {
        return await Promise.all(kinds.map((kind) => makeEntry(kind, file, shape)));
      } catch (cause) {
        if (!(cause instanceof ImageError || cause instanceof AvatarError)) throw cause;
        const message = `frame ${index}: ${cause.message}; import the avatar again`;
        throw new AvatarError("invalid_avatar", message, { cause });
      }
    },
    stop: () => pool.stop(),
  };
}

function toRgba(rgb: Uint8Array, { region: { width, height } }: FrameShape): RgbaImage {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    data.set(rgb.subarray(from, from + 3), to);
  }
  return { width, height, data };
}
