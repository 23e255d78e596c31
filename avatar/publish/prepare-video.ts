import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { AvatarError } from "../avatar-error.ts";
import { crc32 } from "../image/crc32.ts";
import type { PackEntry } from "../pack.ts";
import { backgroundIndex } from "../playback.ts";
import { packContent } from "./content.ts";
import { forEachParallel } from "./for-each-parallel.ts";
import type { PreparedFrom, PreparedTrack } from "./prepare-tracks.ts";
import type { PublishWork } from "./publish-work.ts";
import type { VideoEncoder, VideoRequest } from "./video-encoder.ts";

export interface PrepareVideoRequest {
  /** Of the avatar, for errors. */
  readonly id: string;
  readonly frames: readonly PreparedFrom[];
  readonly video: VideoRequest;
  readonly encoder: VideoEncoder;
  readonly work: PublishWork;
  /** Told of positions of the loop, per rendition; `isNew` when they had to be coded. */
  readonly onFrames: (count: number, isNew: boolean) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Codes every group of every rendition, several at the same time; what an
 * earlier run has left in `work` is not made again.
 * @throws AvatarError
 */
export async function prepareVideo(request: PrepareVideoRequest): Promise<PreparedTrack> {
  const { id, frames, video, encoder, work, onFrames, signal } = request;
  const { renditions, mode, groupFrames } = video;
  const { groups } = encoder;
  const hashes = groups.map(({ start, end }) => hashOfGroup(frames, start, end));
  const entries = new Array<PackEntry>(groups.length * renditions.length);
  const peaks = renditions.map(() => 0);
  const placeOf = (n: number) => {
    const rendition = Math.floor(n / groups.length);
    const group = n % groups.length;
    const { intraQp, interQp } = renditions[rendition]!;
    const kind = `h264-${mode}-${groupFrames}-${intraQp}-${interQp}`;
    return { rendition, group, kind, hash: hashes[group]! };
  };

  await forEachParallel(entries.length, encoder.parallel, async (n) => {
    signal?.throwIfAborted();
    const { rendition, group, kind, hash } = placeOf(n);
    const { start, end } = groups[group]!;
    let entry = await work.readEntry(kind, group, hash);
    if (entry) onFrames(end - start, false);
    else {
      let told = 0;
      const report = (done: number) => {
        onFrames(done - told, true);
        told = done;
      };
      entry = await encoder.encode(group, renditions[rendition]!, report);
      report(end - start);
      await work.writeEntry(kind, group, hash, entry);
    }
    peaks[rendition] = Math.max(peaks[rendition]!, encoder.peakKilobits(group, entry));
    entries[n] = { bytes: entry.length, crc32: crc32(entry) };
  });

  const options = {
    mode,
    groupFrames,
    renditions: renditions.map(({ intraQp, interQp }, n) => {
      const maxKilobitsPerSecond = Math.max(1, Math.ceil(peaks[n]!));
      return { intraQp, interQp, maxKilobitsPerSecond };
    }),
  };
  const pack = await packContent(entries, { kind: "h264" }, async (n) => {
    const { group, kind, hash } = placeOf(n);
    const entry = await work.readEntry(kind, group, hash);
    if (entry) return entry;
    throw new AvatarError(
      "store_unavailable",
      `what was coded of ${id} has disappeared or changed: run it again`,
    );
  });
  return { kind: "h264", options, ...pack };
}

/** Over the digests of the frames as the group shows them. */
function hashOfGroup(frames: readonly PreparedFrom[], start: number, end: number): string {
  const hash = sha256.create();
  for (let position = start; position < end; position++) {
    hash.update(hexToBytes(frames[backgroundIndex(position, frames.length)]!.sha256));
  }
  return bytesToHex(hash.digest());
}
