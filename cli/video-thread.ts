import { AvatarError } from "../avatar/avatar-error.ts";
import { readAvatar } from "../avatar/catalogue.ts";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { rgbaToRgb } from "../avatar/image/crop.ts";
import { ImageError } from "../avatar/image/image-error.ts";
import { frameFileName } from "../avatar/manifest.ts";
import { createFolderStore } from "../avatar/runtime/folder-store.ts";
import { FRAMES_PER_SECOND } from "../avatar/speech-timing.ts";
import { placesOf } from "../edge/background/video-loop.ts";
import { type CodedFrame, encodeGroup } from "../edge/compositor/h264/encode-track.ts";
import { encodeGroupEntry } from "../edge/compositor/h264/group-entry.ts";
import type { Picture } from "../edge/compositor/h264/picture.ts";
import { PictureConverter } from "../edge/compositor/h264/rgb-to-picture.ts";
import { serveOrders } from "../edge/runtime/serve-orders.ts";
import type { VideoOrder } from "./video-encoder.ts";

/** Entry of a thread that codes groups of frames. */
serveOrders<VideoOrder>(async (order, onProgress) => {
  const { root, id, start, end, mode, softEdge, intraQp, interQp } = order;
  const store = createFolderStore(root);
  const { manifest, prefix } = await readAvatar(store, id);
  const { width, height, frames } = manifest;
  const places = placesOf(manifest, start, end);
  const regions = new Map(places.map(({ frame, region }) => [frame, region]));
  const codecs = createImageCodecs();
  const converter = new PictureConverter();
  const read = async (frame: number): Promise<Picture> => {
    const name = frameFileName(frame, frames?.extension ?? "png");
    const file = await store.read(`${prefix}${name}`);
    if (!file) throw invalid(`${name} is missing`);
    try {
      const image = await codecs.decode(file);
      if (image.width === width && image.height === height) {
        return converter.convert(rgbaToRgb(image));
      }
      throw invalid(`${name} is ${image.width}x${image.height} instead of ${width}x${height}`);
    } catch (cause) {
      if (!(cause instanceof ImageError)) throw cause;
      throw invalid(`${name}: ${cause.message}`, cause);
    }
  };
  let squares = 0;
  let done = 0;
  const group = await encodeGroup(
    {
      width,
      height,
      order: places.map(({ frame }) => frame),
      regionOf: (frame) => regions.get(frame)!,
      read,
    },
    {
      framesPerSecond: FRAMES_PER_SECOND,
      mode,
      softEdge,
      intraQp,
      interQp,
      onPicture(coded) {
        squares += squaredError(coded);
        onProgress(++done);
      },
    },
    0,
    places.length,
  );
  return encodeGroupEntry(group, squares / (width * height * places.length));
});

/** Of the luma. */
function squaredError({ source, shown }: CodedFrame): number {
  const { y } = shown();
  let sum = 0;
  for (let i = 0; i < y.length; i++) {
    const difference = y[i]! - source.y[i]!;
    sum += difference * difference;
  }
  return sum;
}

function invalid(why: string, cause?: unknown): AvatarError {
  return new AvatarError("invalid_avatar", `${why}; import the avatar again`, { cause });
}
