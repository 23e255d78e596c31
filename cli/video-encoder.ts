import { AvatarError } from "../avatar/avatar-error.ts";
import type { PublishedAvatar } from "../avatar/catalogue.ts";
import type { Rendition, VideoEncoder, VideoRequest } from "../avatar/publish/video-encoder.ts";
import { FRAMES_PER_SECOND } from "../avatar/speech-timing.ts";
import { placesOf, planLoop } from "../edge/background/video-loop.ts";
import { peakKilobits } from "../edge/compositor/h264/encode-track.ts";
import { decodeGroupEntry, MAX_GROUP_BYTES } from "../edge/compositor/h264/group-entry.ts";
import { createThreadPool } from "../edge/runtime/thread-pool.ts";

/** A group that a thread is to code. */
export interface VideoOrder extends Rendition {
  /** Folder that holds `avatars/`. */
  readonly root: string;
  readonly id: string;
  /** Positions of the loop. */
  readonly start: number;
  readonly end: number;
  readonly mode: VideoRequest["mode"];
  readonly softEdge: number;
}

export interface StoppableVideoEncoder extends VideoEncoder {
  stop(): Promise<void>;
}

/** Raised whenever the coder of `edge/compositor/h264/` gives other bytes, see PREPARER_VERSION. */
const ENCODER_VERSION = "1";

/**
 * Codes an avatar's loop in threads.
 * @param root folder into which it was imported
 * @throws AvatarError `invalid_source` when its frames cannot be video
 */
export function createVideoEncoder(
  threads: number,
  root: string,
  avatar: PublishedAvatar,
  { mode, groupFrames, softEdge }: Omit<VideoRequest, "renditions"> & { readonly softEdge: number },
): StoppableVideoEncoder {
  const { manifest, summary } = avatar;
  const { width, height } = manifest;
  if (width % 2 !== 0 || height % 2 !== 0) {
    throw new AvatarError(
      "invalid_source",
      `${summary.id} is ${width}x${height}: H.264 needs even sides; leave h264 out of --formats, or import frames that are cropped to even sides`,
    );
  }
  const groups = planLoop(manifest, { mode, groupFrames });
  const entry = new URL("./video-thread.ts", import.meta.url);
  const pool = createThreadPool<VideoOrder>(entry, Math.min(threads, groups.length));
  return {
    version: ENCODER_VERSION,
    parallel: threads,
    groups,
    async encode(group, { intraQp, interQp }, onProgress) {
      const { start, end } = groups[group]!;
      const { id } = summary;
      const order = { root, id, start, end, mode, softEdge, intraQp, interQp };
      const entry = await pool.run(order, onProgress);
      if (entry.length <= MAX_GROUP_BYTES) return entry;
      throw new AvatarError(
        "invalid_source",
        `the video of ${id} has ${entry.length} bytes in ${end - start} frames at ${intraQp}/${interQp}, and edges take ${MAX_GROUP_BYTES}: use coarser --renditions`,
      );
    },
    peakKilobits(group, bytes) {
      const { start, end, map } = groups[group]!;
      const decoded = decodeGroupEntry(bytes, map, placesOf(manifest, start, end));
      return peakKilobits([decoded], FRAMES_PER_SECOND);
    },
    stop: () => pool.stop(),
  };
}
