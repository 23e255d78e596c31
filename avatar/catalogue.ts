import { AvatarError } from "./avatar-error.ts";
import { checkAvatarId, isAvatarId } from "./avatar-id.ts";
import { type AvatarSummary, type Manifest, parseManifest, parsePointer } from "./manifest.ts";
import type { ObjectStore } from "./object-store.ts";

/** A published version of an avatar, ready to be read. */
export interface PublishedAvatar {
  readonly summary: AvatarSummary;
  readonly manifest: Manifest;
  /** Prefix of the version's objects, with the final `/`. */
  readonly prefix: string;
}

/** Ids of all avatars in the store, sorted. */
export async function listAvatarIds(store: ObjectStore, signal?: AbortSignal): Promise<string[]> {
  const names = await store.list("avatars/", signal);
  return names.filter(isAvatarId);
}

/**
 * The current version of an avatar.
 * @throws AvatarError `invalid_id`, `not_found`, `invalid_avatar`, `store_unavailable`
 */
export async function readAvatar(
  store: ObjectStore,
  id: string,
  signal?: AbortSignal,
): Promise<PublishedAvatar> {
  checkAvatarId(id);
  const pointerKey = `avatars/${id}/avatar.json`;
  const pointerJson = await readText(store, pointerKey, signal);
  if (pointerJson === null) {
    throw new AvatarError("not_found", `there is no avatar ${id}: GET /v1/avatars lists them`);
  }
  const pointer = parsePointer(pointerJson, pointerKey);
  const prefix = `avatars/${id}/${pointer.version}/`;
  const manifestKey = `${prefix}manifest.json`;
  const json = await readText(store, manifestKey, signal);
  if (json === null) {
    throw new AvatarError("invalid_avatar", `${manifestKey} is missing: publish ${id} again`);
  }
  const manifest = parseManifest(json, manifestKey);
  return {
    prefix,
    manifest,
    summary: {
      id,
      title: pointer.title,
      width: manifest.width,
      height: manifest.height,
      fps: manifest.fps,
      frameCount: manifest.frameCount,
      playback: manifest.playback,
      version: pointer.version,
    },
  };
}

async function readText(
  store: ObjectStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const bytes = await store.read(key, signal ? { signal } : {});
  return bytes && new TextDecoder().decode(bytes);
}
