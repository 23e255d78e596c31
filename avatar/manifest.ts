import * as z from "zod";
import { AvatarError } from "./avatar-error.ts";
import { MAX_INDEX_BYTES, PACK_HEADER_BYTES } from "./pack.ts";
import type { Playback } from "./playback.ts";
import { intersectFrame, type Rectangle } from "./rectangle.ts";
import { FRAMES_PER_SECOND } from "./speech-timing.ts";
import { TENANT_ID, TENANT_ID_RULE } from "./tenant-id.ts";

/** Raised when a reader of today could misread tomorrow's manifest. */
export const MANIFEST_VERSION = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
const fileName = z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, "expected a plain file name");
const pixels = z.int().min(16).max(8192);
/** Qualities in which a video track comes. */
export const MAX_RENDITIONS = 4;
/** Widest blending of a mouth into the background, in pixels. */
export const MAX_SOFT_EDGE = 64;

const storedFile = z.strictObject({
  file: fileName,
  bytes: z.int().positive(),
  sha256,
});

const packShape = {
  ...storedFile.shape,
  /** Length of the pack's index: one range read brings all of it. */
  indexBytes: z.int().min(PACK_HEADER_BYTES).max(MAX_INDEX_BYTES),
  /** Of the index; it holds a checksum per entry. */
  indexSha256: sha256,
};

const packSchema = z.strictObject(packShape);

/** What a manifest says of a pack. */
export type StoredPack = z.infer<typeof packSchema>;

/** The tracks that are known today. Options that are not known are kept. */
const trackSchemas = {
  /** Frames prepared for PNG: `MPNG` entries. */
  png: z.looseObject({
    kind: z.literal("png"),
    ...packShape,
    options: z.looseObject({}),
  }),
  /** Frames prepared for JPEG: `MJPG` entries. */
  jpeg: z.looseObject({
    kind: z.literal("jpeg"),
    ...packShape,
    options: z.looseObject({
      quality: z.int().min(1).max(100),
      subsampling: z.enum(["4:2:0", "4:4:4"]),
    }),
  }),
  /** The background's loop in H.264: an `M264` entry per rendition and group of frames. */
  h264: z.looseObject({
    kind: z.literal("h264"),
    ...packShape,
    options: z.looseObject({
      /** How pictures are cut, see edge/compositor/h264/slice-map.ts. */
      mode: z.enum(["band", "box"]),
      /** Longest group; all are about as long. */
      groupFrames: z.int().min(1).max(256),
      /** The same pictures, coarser and coarser. Entries: the groups of the first, those of the next. */
      renditions: z
        .array(
          z.looseObject({
            intraQp: z.int().min(0).max(51),
            interQp: z.int().min(0).max(51),
            /** That the level has to allow. */
            maxKilobitsPerSecond: z.int().min(1).max(1_000_000),
          }),
        )
        .min(1)
        .max(MAX_RENDITIONS),
    }),
  }),
  /** The background's own pixels under each mouth, as PNG files: put back, they give the idle frame. */
  mouth: z.looseObject({
    kind: z.literal("mouth"),
    ...packShape,
    options: z.looseObject({}),
  }),
};

export type TrackKind = keyof typeof trackSchemas;
/** Tracks with an entry per frame. */
export type FrameTrackKind = Exclude<TrackKind, "h264">;
export type TrackOf<Kind extends TrackKind> = z.infer<(typeof trackSchemas)[Kind]>;

const manifestSchema = z.strictObject({
  format: z.literal("mouthpiece-avatar"),
  formatVersion: z.literal(MANIFEST_VERSION),
  width: pixels,
  height: pixels,
  fps: z.literal(FRAMES_PER_SECOND),
  frameCount: z.int().min(1).max(100_000),
  playback: z.literal("ping-pong"),
  /** Per frame `[x, y, width, height]` in pixels; may reach beyond the frame. */
  rectangles: z.array(
    z.tuple([z.int(), z.int(), z.int().positive().max(8192), z.int().positive().max(8192)]),
  ),
  /** The lip-sync U-Net. */
  model: storedFile,
  /** Mel windows to features. Avatars that share one share its hash, and so its session. */
  audioEncoder: storedFile,
  /** One 328x328 RGB crop per frame. */
  reference: packSchema,
  /**
   * Plain background frames `frames/%06d.<extension>`; the hash is taken over
   * the SHA-256 digests of the files in order, which FRAME_DIGESTS_FILE holds.
   */
  frames: z.strictObject({ extension: z.enum(["png", "jpg"]), sha256 }).optional(),
  /** Pixels over which the mouth is blended into the background at its border; 0 if left out. */
  softEdge: z.int().min(0).max(MAX_SOFT_EDGE).optional(),
  /** Frames prepared for delivery, one of each kind. Readers ignore kinds they do not know. */
  tracks: z.array(z.looseObject({ kind: z.string().min(1).max(32) })).max(64),
});

/** `manifest.json`: everything about one published version of an avatar. */
export type Manifest = z.infer<typeof manifestSchema>;

const pointerSchema = z.strictObject({
  id: z.string(),
  title: z.string().max(200),
  version: z.string().regex(/^[0-9a-f]{32}$/, "expected 32 hexadecimal digits"),
  /** Whom it belongs to; left out: everybody whom an edge lets in. */
  tenant: z.string().regex(TENANT_ID, TENANT_ID_RULE).optional(),
});

/** `avatar.json`: which version is current. The only object of an avatar that ever changes. */
export type AvatarPointer = z.infer<typeof pointerSchema>;

/**
 * Reads and checks a manifest.
 * @param source Named in errors.
 * @throws AvatarError `invalid_avatar` naming the first wrong field.
 */
export function parseManifest(json: string, source: string): Manifest {
  const manifest = parseWith(manifestSchema, json, source);
  if (manifest.rectangles.length !== manifest.frameCount) {
    throw new AvatarError(
      "invalid_avatar",
      `${source}: ${manifest.rectangles.length} rectangles for ${manifest.frameCount} frames: publish the avatar again`,
    );
  }
  for (let n = 0; n < manifest.frameCount; n++) mouthRegion(manifest, n, source);
  checkPack(manifest.reference, `${source}: reference`);
  checkTracks(manifest, source);
  return manifest;
}

/** The track of a kind; null when the avatar has none. */
export function findTrack<Kind extends TrackKind>(
  manifest: Manifest,
  kind: Kind,
): TrackOf<Kind> | null {
  const track = manifest.tracks.find((each) => each.kind === kind);
  // parseManifest has checked it.
  return track ? (track as unknown as TrackOf<Kind>) : null;
}

function checkTracks(manifest: Manifest, source: string): void {
  const seen = new Set<string>();
  for (const [i, track] of manifest.tracks.entries()) {
    if (!Object.hasOwn(trackSchemas, track.kind)) continue;
    const at = `${source}: tracks.${i}`;
    const schema: z.ZodType<StoredPack> = trackSchemas[track.kind as TrackKind];
    const known = checkWith(schema, track, at);
    checkPack(known, at);
    if (seen.has(track.kind)) {
      throw new AvatarError("invalid_avatar", `${at}: a second track of the kind ${track.kind}`);
    }
    seen.add(track.kind);
  }
}

function checkPack(pack: StoredPack, source: string): void {
  if (pack.indexBytes <= pack.bytes) return;
  throw new AvatarError(
    "invalid_avatar",
    `${source}: an index of ${pack.indexBytes} bytes in a pack of ${pack.bytes}`,
  );
}

/**
 * Reads and checks `avatar.json`. No hash tells whether it was published so or
 * came so: a store that gives wrong bytes may give the right ones next time.
 * @throws AvatarError `damaged`
 */
export function parsePointer(json: string, source: string): AvatarPointer {
  try {
    return parseWith(pointerSchema, json, source);
  } catch (cause) {
    if (!(cause instanceof AvatarError)) throw cause;
    throw new AvatarError("damaged", cause.message, { cause });
  }
}

/**
 * Where the mouth of frame `n` goes: its rectangle, intersected with the frame.
 * @throws AvatarError `invalid_avatar` when nothing of it lies in the frame.
 */
export function mouthRegion(manifest: Manifest, n: number, source = "manifest.json"): Rectangle {
  const [x, y, width, height] = manifest.rectangles[n]!;
  const region = intersectFrame({ x, y, width, height }, manifest.width, manifest.height);
  if (region) return region;
  throw new AvatarError(
    "invalid_avatar",
    `${source}: the rectangle of frame ${n} (x ${x}, y ${y}, ${width}x${height}) lies outside the ${manifest.width}x${manifest.height} frame`,
  );
}

/** Object with the SHA-256 digests of the plain frames in order, 32 bytes each. */
export const FRAME_DIGESTS_FILE = "frames.sha256";
export const DIGEST_BYTES = 32;

/** Name of the object that holds plain background frame `n`. */
export function frameFileName(n: number, extension: "png" | "jpg"): string {
  return `frames/${String(n).padStart(6, "0")}.${extension}`;
}

/** What a viewer is told of an avatar. */
export interface AvatarSummary {
  readonly id: string;
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly frameCount: number;
  readonly playback: Playback;
  readonly version: string;
  /** What its frames can be had as: `png`, `jpeg`, and `h264` if it was published so. */
  readonly formats: readonly string[];
}

function parseWith<T>(schema: z.ZodType<T>, json: string, source: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new AvatarError("invalid_avatar", `${source} is not JSON: publish the avatar again`, {
      cause,
    });
  }
  return checkWith(schema, value, source);
}

function checkWith<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path.join(".") || "(top level)";
  throw new AvatarError("invalid_avatar", `${source}: ${path}: ${issue?.message ?? "invalid"}`);
}
