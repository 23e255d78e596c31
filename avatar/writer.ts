import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { AvatarError } from "./avatar-error.ts";
import { checkAvatarId } from "./avatar-id.ts";
import { crc32 } from "./image/crc32.ts";
import { cropRgb } from "./image/crop.ts";
import { CubicResizer } from "./image/resize.ts";
import type { RgbImage } from "./image/types.ts";
import {
  DIGEST_BYTES,
  FRAME_DIGESTS_FILE,
  frameFileName,
  MANIFEST_VERSION,
  type Manifest,
  parseManifest,
  type StoredPack,
} from "./manifest.ts";
import type { AvatarStaging } from "./object-store.ts";
import { encodePackIndex, type PackEntry, packIndexBytes } from "./pack.ts";
import { intersectFrame, type Rectangle } from "./rectangle.ts";
import { REFERENCE_BYTES, REFERENCE_SIZE } from "./reference.ts";
import { FRAMES_PER_SECOND } from "./speech-timing.ts";

/** A background frame on its way into an avatar. */
export interface SourceFrame {
  /** The frame as a PNG or JPEG file, kept as it is. */
  readonly file: Uint8Array;
  /** The same frame, decoded. */
  readonly image: RgbImage;
  /** The mouth's rectangle; may reach beyond the frame. */
  readonly rectangle: Rectangle;
}

/** What an importer reads from a dataset. */
export interface AvatarSource {
  readonly id: string;
  readonly title: string;
  /** Whom it belongs to; null for everybody. */
  readonly tenant: string | null;
  readonly frameCount: number;
  readonly extension: "png" | "jpg";
  /** `frameCount` frames in order. */
  frames(): AsyncIterable<SourceFrame>;
  /** The U-Net as an ONNX file. */
  readonly model: Uint8Array;
  /** The audio encoder as an ONNX file. */
  readonly audioEncoder: Uint8Array;
}

const REFERENCE_FILE = "reference.pack";
const REFERENCE_METADATA = { kind: "reference", size: REFERENCE_SIZE, layout: "rgb8" };

export interface WriteProgress {
  /** Frames written. */
  readonly done: number;
  readonly total: number;
}

/**
 * Writes a source as a new version of its avatar and makes it the current one.
 * @returns the version: the first 128 bits of the manifest's SHA-256, in hexadecimal.
 * @throws AvatarError `invalid_id` or `invalid_source`; the old version stays current.
 */
export async function writeAvatar(
  source: AvatarSource,
  staging: AvatarStaging,
  onProgress: (progress: WriteProgress) => void = () => {},
): Promise<string> {
  checkAvatarId(source.id);
  try {
    const written = await writeFrames(source, staging, onProgress);
    const manifest: Manifest = {
      format: "mouthpiece-avatar",
      formatVersion: MANIFEST_VERSION,
      width: written.width,
      height: written.height,
      fps: FRAMES_PER_SECOND,
      frameCount: source.frameCount,
      playback: "ping-pong",
      rectangles: written.rectangles.map((r) => [r.x, r.y, r.width, r.height]),
      model: await writeFile(staging, "model.onnx", source.model),
      audioEncoder: await writeFile(staging, "audio_encoder.onnx", source.audioEncoder),
      reference: written.reference,
      frames: { extension: source.extension, sha256: written.framesHash },
      tracks: [],
    };
    const json = JSON.stringify(manifest);
    parseManifest(json, `the manifest of ${source.id}`);
    const bytes = new TextEncoder().encode(json);
    await staging.write("manifest.json", bytes);
    const version = bytesToHex(sha256(bytes)).slice(0, 32);
    const { id, title, tenant } = source;
    const pointer = { id, title, version, ...(tenant !== null && { tenant }) };
    await staging.commit(version, new TextEncoder().encode(JSON.stringify(pointer)));
    return version;
  } finally {
    await staging.discard();
  }
}

/** One pass over the frames: plain files go out as they are, crops go into the pack. */
async function writeFrames(
  source: AvatarSource,
  staging: AvatarStaging,
  onProgress: (progress: WriteProgress) => void,
) {
  const resizer = new CubicResizer();
  const rectangles: Rectangle[] = [];
  const digests = new Uint8Array(DIGEST_BYTES * source.frameCount);
  const crops: PackEntry[] = [];
  let size: { width: number; height: number } | undefined;

  async function* pack(): AsyncIterable<Uint8Array> {
    // The checksums are known at the end: until then the index is left empty.
    yield new Uint8Array(packIndexBytes(source.frameCount, REFERENCE_METADATA));
    for await (const frame of source.frames()) {
      const n = rectangles.length;
      size ??= { width: frame.image.width, height: frame.image.height };
      checkFrame(frame, n, size, source.frameCount);
      rectangles.push(frame.rectangle);
      await staging.write(frameFileName(n, source.extension), frame.file);
      digests.set(sha256(frame.file), DIGEST_BYTES * n);
      // checkFrame has refused a rectangle without any part in the frame.
      const region = intersectFrame(frame.rectangle, size.width, size.height)!;
      const { data } = resizer.resize(cropRgb(frame.image, region), REFERENCE_SIZE, REFERENCE_SIZE);
      crops.push({ bytes: REFERENCE_BYTES, crc32: crc32(data) });
      yield data;
      onProgress({ done: n + 1, total: source.frameCount });
    }
  }
  await staging.write(REFERENCE_FILE, pack());
  if (!size || rectangles.length !== source.frameCount) {
    throw new AvatarError(
      "invalid_source",
      `${source.id}: ${source.frameCount} frames were announced and ${rectangles.length} came`,
    );
  }
  await staging.write(FRAME_DIGESTS_FILE, digests);
  return {
    ...size,
    rectangles,
    framesHash: bytesToHex(sha256(digests)),
    reference: await finishPack(staging, crops),
  };
}

/** Puts the index in its place. */
async function finishPack(
  staging: AvatarStaging,
  crops: readonly PackEntry[],
): Promise<StoredPack> {
  const index = encodePackIndex(crops, REFERENCE_METADATA);
  await staging.overwrite(REFERENCE_FILE, index);
  const hash = sha256.create();
  let bytes = 0;
  for await (const chunk of staging.read(REFERENCE_FILE)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return {
    file: REFERENCE_FILE,
    bytes,
    sha256: bytesToHex(hash.digest()),
    indexBytes: index.length,
    indexSha256: bytesToHex(sha256(index)),
  };
}

function checkFrame(
  frame: SourceFrame,
  n: number,
  size: { width: number; height: number },
  frameCount: number,
): void {
  const { image, rectangle } = frame;
  if (n >= frameCount) throw new AvatarError("invalid_source", `more than ${frameCount} frames`);
  if (image.width !== size.width || image.height !== size.height) {
    throw new AvatarError(
      "invalid_source",
      `frame ${n} is ${image.width}x${image.height}, the first one ${size.width}x${size.height}: all must be of one size`,
    );
  }
  if (!intersectFrame(rectangle, size.width, size.height)) {
    throw new AvatarError(
      "invalid_source",
      `the mouth rectangle of frame ${n} (x ${rectangle.x}, y ${rectangle.y}, ${rectangle.width}x${rectangle.height}) has no part in the ${size.width}x${size.height} frame: check its landmarks`,
    );
  }
}

async function writeFile(staging: AvatarStaging, file: string, bytes: Uint8Array) {
  await staging.write(file, bytes);
  return { file, bytes: bytes.length, sha256: bytesToHex(sha256(bytes)) };
}
