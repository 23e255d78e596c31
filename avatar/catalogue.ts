import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { AvatarError } from "./avatar-error.ts";
import { checkAvatarId, isAvatarId } from "./avatar-id.ts";
import {
  type AvatarSummary,
  findTrack,
  type Manifest,
  parseManifest,
  parsePointer,
} from "./manifest.ts";
import type { ObjectStore, ReadOptions } from "./object-store.ts";

const MAX_POINTER_BYTES = 16 * 1024;
/** A hundred thousand rectangles have 3 MB. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** A published version of an avatar, ready to be read. */
export interface PublishedAvatar {
  readonly summary: AvatarSummary;
  readonly manifest: Manifest;
  /** Whom it belongs to; null for everybody. */
  readonly tenant: string | null;
  /** Prefix of the version's objects, with the final `/`. */
  readonly prefix: string;
}

/** Ids of all avatars in the store, sorted. */
export async function listAvatarIds(store: ObjectStore, signal?: AbortSignal): Promise<string[]> {
  const names = await store.list("avatars/", signal);
  return names.filter(isAvatarId);
}

/** Read once more, past the caches on the way, when it is not the one that was published. */
async function readManifest(
  store: ObjectStore,
  key: string,
  version: string,
  options: ReadOptions,
): Promise<Manifest> {
  for (const again of [{}, { isRefresh: true }]) {
    const json = await readSmall(store, key, MAX_MANIFEST_BYTES, { ...options, ...again });
    if (json === null) {
      throw new AvatarError("invalid_avatar", `${key} is missing: publish the avatar again`);
    }
    const isRight = bytesToHex(sha256(json)).slice(0, version.length) === version;
    if (isRight) return parseManifest(new TextDecoder().decode(json), key);
  }
  throw new AvatarError(
    "damaged",
    `${key} is not the one that was published: publish the avatar again if that stays so`,
  );
}

/** Nobody's memory is to be filled by what somebody has put in the place of a small object. */
async function readSmall(
  store: ObjectStore,
  key: string,
  maxBytes: number,
  options: ReadOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const bytes = await store.read(key, { ...options, range: { start: 0, end: maxBytes + 1 } });
  if (!bytes || bytes.length <= maxBytes) return bytes;
  throw new AvatarError(
    "invalid_avatar",
    `${key} has more than ${maxBytes} bytes: publish the avatar again`,
  );
}

/** What is said of an avatar that is not there. */
export function noAvatar(id: string): AvatarError {
  return new AvatarError("not_found", `there is no avatar ${id}: GET /v1/avatars lists them`);
}

/**
 * The current version of an avatar.
 * @throws AvatarError `invalid_id`, `not_found`, `invalid_avatar`, `damaged`, `store_unavailable`
 */
export async function readAvatar(
  store: ObjectStore,
  id: string,
  signal?: AbortSignal,
): Promise<PublishedAvatar> {
  checkAvatarId(id);
  const options = signal ? { signal } : {};
  const pointerKey = `avatars/${id}/avatar.json`;
  const pointerJson = await readSmall(store, pointerKey, MAX_POINTER_BYTES, options);
  if (pointerJson === null) {
    throw noAvatar(id);
  }
  const pointer = parsePointer(new TextDecoder().decode(pointerJson), pointerKey);
  const prefix = `avatars/${id}/${pointer.version}/`;
  const manifest = await readManifest(store, `${prefix}manifest.json`, pointer.version, options);
  return {
    prefix,
    manifest,
    tenant: pointer.tenant ?? null,
    summary: {
      id,
      title: pointer.title,
      width: manifest.width,
      height: manifest.height,
      fps: manifest.fps,
      frameCount: manifest.frameCount,
      playback: manifest.playback,
      version: pointer.version,
      formats: findTrack(manifest, "h264") ? ["png", "jpeg", "h264"] : ["png", "jpeg"],
    },
  };
}
