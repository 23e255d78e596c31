import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { AvatarError } from "../avatar-error.ts";
import type { PublishedAvatar } from "../catalogue.ts";
import { crc32 } from "../image/crc32.ts";
import { type FrameTrackKind, frameFileName, mouthRegion, type TrackKind } from "../manifest.ts";
import type { ObjectContent, ObjectStore } from "../object-store.ts";
import type { PackEntry } from "../pack.ts";
import { packContent } from "./content.ts";
import { forEachParallel } from "./for-each-parallel.ts";
import type { TrackPreparer } from "./frame-preparer.ts";
import type { PublishWork } from "./publish-work.ts";

/** A track with an entry per frame that a publish makes. */
export interface TrackRequest {
  readonly kind: FrameTrackKind;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface PrepareTracksRequest {
  readonly avatar: PublishedAvatar;
  readonly source: ObjectStore;
  readonly tracks: readonly TrackRequest[];
  readonly preparer: TrackPreparer;
  readonly work: PublishWork;
  /** Told of every frame; `isNew` when it had to be prepared. */
  readonly onFrame: (isNew: boolean) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface PreparedTrack {
  readonly kind: TrackKind;
  readonly options: Readonly<Record<string, unknown>>;
  readonly content: ObjectContent;
  readonly index: Uint8Array<ArrayBuffer>;
}

export interface PreparedFrom {
  /** Of its file, below the version. */
  readonly name: string;
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

export interface PreparedTracks {
  readonly tracks: readonly PreparedTrack[];
  /** The plain frames that they were made from. */
  readonly frames: readonly PreparedFrom[];
}

/**
 * Prepares every frame once for every track, several at the same time; what an
 * earlier run has left in `work` is not made again.
 * @throws AvatarError `invalid_avatar` when the avatar has no plain frames or they have changed
 */
export async function prepareTracks(request: PrepareTracksRequest): Promise<PreparedTracks> {
  const { avatar, source, tracks, preparer, work, onFrame, signal } = request;
  const { manifest, prefix, summary } = avatar;
  const { frames, frameCount } = manifest;
  if (!frames) {
    throw new AvatarError(
      "invalid_avatar",
      `${summary.id} has no plain frames here: publish it from the folder into which it was imported`,
    );
  }
  const from = new Array<PreparedFrom>(frameCount);
  const entries = tracks.map(() => new Array<PackEntry>(frameCount));

  await forEachParallel(frameCount, preparer.parallel, async (n) => {
    signal?.throwIfAborted();
    const name = frameFileName(n, frames.extension);
    const file = await source.read(`${prefix}${name}`, signal ? { signal } : {});
    if (!file) throw framesChanged(summary.id);
    const hash = bytesToHex(sha256(file));
    // Its memory goes to the preparer.
    from[n] = { name, bytes: file.length, sha256: hash };
    const keep = (track: number, entry: Uint8Array) => {
      entries[track]![n] = { bytes: entry.length, crc32: crc32(entry) };
    };
    const missing: number[] = [];
    for (const [track, { kind }] of tracks.entries()) {
      const known = await work.readEntry(kind, n, hash);
      if (known) keep(track, known);
      else missing.push(track);
    }
    if (missing.length > 0) {
      const kinds = missing.map((track) => tracks[track]!.kind);
      const region = mouthRegion(manifest, n);
      const made = await preparer.prepare({ index: n, file, region }, kinds);
      for (const [i, track] of missing.entries()) {
        keep(track, made[i]!);
        await work.writeEntry(kinds[i]!, n, hash, made[i]!);
      }
    }
    onFrame(missing.length > 0);
  });

  if (hashOfHashes(from) !== frames.sha256) throw framesChanged(summary.id);
  const prepared: PreparedTrack[] = [];
  for (const [track, { kind, options }] of tracks.entries()) {
    const readEntry = async (n: number) => {
      const entry = await work.readEntry(kind, n, from[n]!.sha256);
      if (entry) return entry;
      throw new AvatarError(
        "store_unavailable",
        `what was prepared of ${summary.id} has disappeared or changed: run it again`,
      );
    };
    const metadata = { kind, ...options };
    const pack = await packContent(entries[track]!, metadata, readEntry);
    prepared.push({ kind, options, ...pack });
  }
  return { tracks: prepared, frames: from };
}

/** As a manifest's `frames.sha256`: over the digests of the files, in order. */
function hashOfHashes(frames: readonly PreparedFrom[]): string {
  const hash = sha256.create();
  for (const frame of frames) hash.update(hexToBytes(frame.sha256));
  return bytesToHex(hash.digest());
}

function framesChanged(id: string): AvatarError {
  return new AvatarError(
    "invalid_avatar",
    `the frames of ${id} are not those that were imported: import it again`,
  );
}
