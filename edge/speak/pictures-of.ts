import type { Mp4Picture } from "../container/mp4-input.ts";
import type { SpokenFrame } from "./speaker.ts";

/** Frames of H.264, for an MP4. */
export async function* picturesOf(frames: AsyncIterable<SpokenFrame>): AsyncGenerator<Mp4Picture> {
  for await (const { parts, isKeyFrame, timeMs } of frames) {
    yield { parts, isKeyFrame, timestampMs: timeMs };
  }
}
