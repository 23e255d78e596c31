import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { AvatarError } from "../avatar-error.ts";
import type { PublishedAvatar } from "../catalogue.ts";
import {
  type AvatarPointer,
  DIGEST_BYTES,
  FRAME_DIGESTS_FILE,
  MANIFEST_VERSION,
  type Manifest,
  parseManifest,
  parsePointer,
} from "../manifest.ts";
import type { ObjectContent, ObjectStore, WritableStore } from "../object-store.ts";
import { checkedContent, contentOf, sourceContent } from "./content.ts";
import { forEachParallel } from "./for-each-parallel.ts";
import type { TrackPreparer } from "./frame-preparer.ts";
import { type PreparedTracks, prepareTracks, type TrackRequest } from "./prepare-tracks.ts";
import { prepareVideo } from "./prepare-video.ts";
import type { PublishWork } from "./publish-work.ts";
import type { VideoEncoder, VideoRequest } from "./video-encoder.ts";

export interface PublishRequest {
  /** The avatar as it was imported, with its plain frames. */
  readonly avatar: PublishedAvatar;
  readonly source: ObjectStore;
  readonly target: WritableStore;
  /** The tracks of the new version; but for video it has no others. */
  readonly tracks: readonly TrackRequest[];
  /** Its video track, and what codes it; null for none. */
  readonly video: { readonly request: VideoRequest; readonly encoder: VideoEncoder } | null;
  /** Pixels over which the mouth is blended into the background at its border. */
  readonly softEdge: number;
  /** Whom it belongs to; null: everybody; undefined: as it was imported, or else as the target has it. */
  readonly tenant?: string | null | undefined;
  /** Whether the plain frames go along. */
  readonly keepFrames: boolean;
  readonly preparer: TrackPreparer;
  readonly work: PublishWork;
  /** Objects that are written at the same time. */
  readonly parallelWrites: number;
  readonly onProgress: (progress: PublishProgress) => void;
  readonly signal?: AbortSignal;
}

export interface PublishProgress {
  readonly phase: "preparing" | "uploading";
  /** Frames while preparing, bytes while uploading. */
  readonly done: number;
  readonly total: number;
  /** Of those done, how many an earlier run had done. */
  readonly found: number;
}

export interface PublishResult {
  readonly version: string;
  /** What the target served before; null for nothing. */
  readonly previousVersion: string | null;
  readonly objects: { readonly written: number; readonly found: number };
  /** Of all objects, and of those that were written. */
  readonly bytes: { readonly total: number; readonly written: number };
}

interface NamedContent {
  readonly name: string;
  readonly content: ObjectContent;
}

/**
 * Makes a version of an avatar that is ready for delivery, and the target
 * serve it. The old version serves until every object of the new one has
 * arrived and been checked; a publish that was cut off goes on where it was.
 * @throws AvatarError
 */
export async function publishAvatar(request: PublishRequest): Promise<PublishResult> {
  const { avatar, target, signal } = request;
  // First what can fail at once: a target that cannot be reached or written.
  const pointerKey = `avatars/${avatar.summary.id}/avatar.json`;
  const previous = await readPointer(target, pointerKey, signal);

  const prepared = await prepare(request);

  const manifest = buildManifest(request, prepared);
  const json = JSON.stringify(manifest);
  parseManifest(json, `the manifest of ${avatar.summary.id}`);
  const manifestContent = contentOf(new TextEncoder().encode(json));
  const version = manifestContent.sha256.slice(0, 32);
  const objects = [
    ...(await storedObjects(request)),
    ...prepared.tracks.map(({ kind, content }) => ({ name: packName(kind), content })),
    ...(request.keepFrames ? frameObjects(request, prepared) : []),
    { name: "manifest.json", content: manifestContent },
  ];
  const written = await writeObjects(request, `avatars/${avatar.summary.id}/${version}/`, objects);
  await switchTo(request, version, pointerKey, previous?.tenant);
  return { version, previousVersion: previous?.version ?? null, ...written };
}

/** Makes the tracks: those with an entry per frame first, which are sooner done. */
async function prepare(request: PublishRequest): Promise<PreparedTracks> {
  const { avatar, video, onProgress } = request;
  const { frameCount } = avatar.manifest;
  const perRendition = video?.encoder.groups.at(-1)?.end ?? 0;
  const total = frameCount + perRendition * (video?.request.renditions.length ?? 0);
  let done = 0;
  let found = 0;
  const report = (count: number, isNew: boolean) => {
    done += count;
    if (!isNew) found += count;
    onProgress({ phase: "preparing", done, total, found });
  };
  const prepared = await prepareTracks({ ...request, onFrame: (isNew) => report(1, isNew) });
  if (!video) return prepared;
  const track = await prepareVideo({
    id: avatar.summary.id,
    frames: prepared.frames,
    video: video.request,
    encoder: video.encoder,
    work: request.work,
    onFrames: report,
    signal: request.signal,
  });
  return { ...prepared, tracks: [...prepared.tracks, track] };
}

/** The objects that are the same in every version. */
async function storedObjects({ avatar, source, signal }: PublishRequest): Promise<NamedContent[]> {
  const { model, audioEncoder, reference } = avatar.manifest;
  const objects: NamedContent[] = [];
  for (const file of [model, audioEncoder, reference]) {
    const key = `${avatar.prefix}${file.file}`;
    objects.push({ name: file.file, content: await checkedContent(source, key, file, signal) });
  }
  return objects;
}

function frameObjects(
  { avatar, source }: PublishRequest,
  { frames }: PreparedTracks,
): NamedContent[] {
  const digests = new Uint8Array(DIGEST_BYTES * frames.length);
  for (const [n, { sha256 }] of frames.entries()) digests.set(hexToBytes(sha256), DIGEST_BYTES * n);
  return [
    ...frames.map(({ name, bytes, sha256 }) => ({
      name,
      content: sourceContent(source, `${avatar.prefix}${name}`, { bytes, sha256 }),
    })),
    { name: FRAME_DIGESTS_FILE, content: contentOf(digests) },
  ];
}

function buildManifest(
  { avatar, softEdge, keepFrames }: PublishRequest,
  { tracks }: PreparedTracks,
): Manifest {
  const { manifest } = avatar;
  return {
    format: "mouthpiece-avatar",
    formatVersion: MANIFEST_VERSION,
    width: manifest.width,
    height: manifest.height,
    fps: manifest.fps,
    frameCount: manifest.frameCount,
    playback: manifest.playback,
    rectangles: manifest.rectangles,
    model: manifest.model,
    audioEncoder: manifest.audioEncoder,
    reference: manifest.reference,
    ...(keepFrames && manifest.frames && { frames: manifest.frames }),
    ...(softEdge > 0 && { softEdge }),
    tracks: tracks.map(({ kind, options, content, index }) => ({
      kind,
      file: packName(kind),
      bytes: content.bytes,
      sha256: content.sha256,
      indexBytes: index.length,
      indexSha256: bytesToHex(sha256(index)),
      options,
    })),
  };
}

/** Writes what is not there yet. */
async function writeObjects(
  { target, work, parallelWrites, onProgress, signal }: PublishRequest,
  prefix: string,
  objects: readonly NamedContent[],
): Promise<Pick<PublishResult, "objects" | "bytes">> {
  const total = objects.reduce((sum, { content }) => sum + content.bytes, 0);
  const present = await listPresent(target, prefix, signal);
  let done = 0;
  let found = 0;
  let writtenObjects = 0;
  // Parts of an upload that the store has forgotten are told of twice.
  const report = () =>
    onProgress({ phase: "uploading", done: Math.min(done, total), total, found });
  const withSignal = signal ? { signal } : {};
  await forEachParallel(objects.length, parallelWrites, async (i) => {
    signal?.throwIfAborted();
    const { name, content } = objects[i]!;
    const key = `${prefix}${name}`;
    if (present.has(name) && (await target.holds(key, content, signal))) {
      done += content.bytes;
      found += content.bytes;
      return report();
    }
    const journal = work.journal(`${key} ${content.sha256}`);
    await target.write(key, content, {
      journal,
      onBytes(bytes) {
        done += bytes;
        report();
      },
      ...withSignal,
    });
    writtenObjects++;
  });
  return {
    objects: { written: writtenObjects, found: objects.length - writtenObjects },
    bytes: { total, written: total - found },
  };
}

/** Names below the version that are worth asking for: at a first publish, none. */
async function listPresent(
  target: ObjectStore,
  prefix: string,
  signal: AbortSignal | undefined,
): Promise<Set<string>> {
  const names = await target.list(prefix, signal);
  const frames = names.includes("frames") ? await target.list(`${prefix}frames/`, signal) : [];
  return new Set([...names, ...frames.map((name) => `frames/${name}`)]);
}

/** The one write that readers notice. */
async function switchTo(
  { avatar, source, target, tenant, signal }: PublishRequest,
  version: string,
  pointerKey: string,
  tenantBefore: string | undefined,
): Promise<void> {
  const withSignal = signal ? { signal } : {};
  const old = await source.read(pointerKey, withSignal);
  if (!old) throw new AvatarError("not_found", `${avatar.summary.id} has disappeared`);
  const current = parsePointer(new TextDecoder().decode(old), pointerKey);
  if (current.version !== avatar.summary.version) {
    throw new AvatarError(
      "invalid_source",
      `${avatar.summary.id} was imported or published anew while this ran: run it again`,
    );
  }
  // What belonged to somebody does not become everybody's because nobody said so.
  const owner = tenant === undefined ? (current.tenant ?? tenantBefore) : tenant;
  const { id, title } = current;
  const pointer = { id, title, version, ...(owner && { tenant: owner }) };
  const content = contentOf(new TextEncoder().encode(JSON.stringify(pointer)));
  if (await target.holds(pointerKey, content, signal)) return;
  await target.write(pointerKey, content, { journal: null, onBytes() {}, ...withSignal });
}

async function readPointer(
  target: ObjectStore,
  pointerKey: string,
  signal: AbortSignal | undefined,
): Promise<AvatarPointer | null> {
  const bytes = await target.read(pointerKey, signal ? { signal } : {});
  if (!bytes) return null;
  try {
    return parsePointer(new TextDecoder().decode(bytes), pointerKey);
  } catch (error) {
    // One that is damaged is about to be replaced.
    if (error instanceof AvatarError) return null;
    throw error;
  }
}

function packName(kind: string): string {
  return `${kind}.pack`;
}
