import * as z from "zod";
import { AvatarError } from "./avatar-error.ts";
import type { Playback } from "./playback.ts";
import { intersectFrame, type Rectangle } from "./rectangle.ts";
import { FRAMES_PER_SECOND } from "./speech-timing.ts";

/** Raised when a reader of today could misread tomorrow's manifest. */
export const MANIFEST_VERSION = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
const fileName = z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, "expected a plain file name");
const pixels = z.int().min(16).max(8192);

const storedFile = z.strictObject({
  file: fileName,
  bytes: z.int().positive(),
  sha256,
});

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
  reference: storedFile,
  /**
   * Plain background frames `frames/%06d.<extension>`; the hash is taken over
   * the SHA-256 digests of the files in order.
   */
  frames: z.strictObject({ extension: z.enum(["png", "jpg"]), sha256 }).optional(),
  /** Packs of frames that are prepared for delivery. Readers ignore kinds they do not know. */
  tracks: z.array(z.looseObject({ kind: z.string(), ...storedFile.shape })),
});

/** `manifest.json`: everything about one published version of an avatar. */
export type Manifest = z.infer<typeof manifestSchema>;

const pointerSchema = z.strictObject({
  id: z.string(),
  title: z.string().max(200),
  version: z.string().regex(/^[0-9a-f]{32}$/, "expected 32 hexadecimal digits"),
  tenant: z.string().max(64).optional(),
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
  return manifest;
}

/** Reads and checks `avatar.json`. @throws AvatarError `invalid_avatar` */
export function parsePointer(json: string, source: string): AvatarPointer {
  return parseWith(pointerSchema, json, source);
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
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path.join(".") || "(top level)";
  throw new AvatarError("invalid_avatar", `${source}: ${path}: ${issue?.message ?? "invalid"}`);
}
