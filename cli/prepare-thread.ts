import { parentPort, workerData } from "node:worker_threads";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { ImageError } from "../avatar/image/image-error.ts";
import type { RgbaImage } from "../avatar/image/types.ts";
import type { TrackKind } from "../avatar/manifest.ts";
import type { PlainFrame } from "../avatar/publish/frame-preparer.ts";
import type { Rectangle } from "../avatar/rectangle.ts";
import { prepareFrame } from "../edge/compositor/delivery.ts";
import type { PrepareAnswer, PrepareOrder, PrepareSettings } from "./prepare-pool.ts";

/** Entry of a thread that prepares frames for publishing, one at a time. */
const port = parentPort;
if (!port) throw new Error("prepare-thread.ts runs as a worker thread");
const settings = workerData as PrepareSettings;
const codecs = createImageCodecs();

async function prepareTracks({ file, region, index }: PlainFrame, kinds: readonly TrackKind[]) {
  const image = await codecs.decode(file);
  const { width, height } = settings;
  if (image.width !== width || image.height !== height) {
    const found = `${image.width}x${image.height}`;
    throw new Misfit(`frame ${index} is ${found}, its manifest says ${width}x${height}`);
  }
  const entries: Uint8Array<ArrayBuffer>[] = [];
  for (const kind of kinds) entries.push(await prepareTrack(kind, image, region));
  return entries;
}

async function prepareTrack(kind: TrackKind, image: RgbaImage, region: Rectangle) {
  const { softEdge, jpeg } = settings;
  switch (kind) {
    case "png":
      return prepareFrame(image, region, { format: "png", softEdge, effort: "full" });
    case "jpeg":
      return prepareFrame(image, region, { format: "jpeg", softEdge, ...jpeg });
    case "mouth":
      return codecs.encodePng(cutRegion(image, region));
  }
}

/** The pixels under the mouth; they lie within the frame. */
function cutRegion(image: RgbaImage, { x, y, width, height }: Rectangle): RgbaImage {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let row = 0; row < height; row++) {
    const from = 4 * ((y + row) * image.width + x);
    data.set(image.data.subarray(from, from + 4 * width), 4 * width * row);
  }
  return { width, height, data };
}

/** A frame that is not what its manifest says. */
class Misfit extends Error {}

port.on("message", async ({ frame, kinds }: PrepareOrder) => {
  try {
    const entries = await prepareTracks(frame, kinds);
    const answer: PrepareAnswer = { entries, failure: null };
    port.postMessage(
      answer,
      entries.map(({ buffer }) => buffer),
    );
  } catch (error) {
    const isTheirs = error instanceof ImageError || error instanceof Misfit;
    const message = error instanceof Error ? error.message : String(error);
    const failure = isTheirs
      ? { isDamage: true, message: `frame ${frame.index}: ${message}; import the avatar again` }
      : { isDamage: false, message };
    const answer: PrepareAnswer = { entries: [], failure };
    port.postMessage(answer);
  }
});
