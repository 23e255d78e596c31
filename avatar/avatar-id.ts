import { AvatarError } from "./avatar-error.ts";

const AVATAR_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** Whether `id` can name an avatar: 1 to 64 of `a-z 0-9 _ -`, not starting with a sign. */
export function isAvatarId(id: string): boolean {
  return AVATAR_ID.test(id);
}

/**
 * Ids become paths and object keys, so nothing else ever reaches a store.
 * @throws AvatarError `invalid_id`
 */
export function checkAvatarId(id: string): string {
  if (isAvatarId(id)) return id;
  const shown = id.length > 80 ? `${id.slice(0, 77)}...` : id;
  throw new AvatarError(
    "invalid_id",
    `${JSON.stringify(shown)} is not an avatar id: use 1 to 64 of a-z, 0-9, "-" and "_", starting with a letter or digit`,
  );
}
