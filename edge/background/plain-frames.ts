import { AvatarError } from "../../avatar/avatar-error.ts";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { frameFileName } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";

/** The file of background frame `index` of an avatar that has plain frames. @throws AvatarError */
export async function readPlainFrame(
  store: ObjectStore,
  avatar: PublishedAvatar,
  index: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { frames } = avatar.manifest;
  const file =
    frames && (await store.read(`${avatar.prefix}${frameFileName(index, frames.extension)}`));
  if (file) return file;
  throw new AvatarError(
    "invalid_avatar",
    `frame ${index} of ${avatar.summary.id} is missing: publish it again`,
  );
}

/** @throws AvatarError `not_found` */
export function checkFrameIndex({ manifest, summary }: PublishedAvatar, index: number): void {
  if (index < manifest.frameCount) return;
  throw new AvatarError(
    "not_found",
    `${summary.id} has no frame ${index}: there are 0 to ${manifest.frameCount - 1}`,
  );
}
