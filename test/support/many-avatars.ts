import { cp, link, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { writeTinyAvatar } from "./tiny-avatar.ts";

/** Ids `prefix-0000` and on. */
export function manyIds(count: number, prefix = "avatar"): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}-${String(n).padStart(4, "0")}`);
}

/**
 * Writes tiny avatars below `root` that share their files on disk: 1,200 of
 * them would take 2 GB.
 */
export async function writeManyAvatars(root: string, ids: readonly string[]): Promise<void> {
  const [first, ...others] = ids;
  if (first === undefined) return;
  const version = await writeTinyAvatar(root, first);
  const from = join(root, "avatars", first);
  const files = await readdir(join(from, version), { recursive: true, withFileTypes: true });
  for (const id of others) {
    const to = join(root, "avatars", id);
    await mkdir(to);
    await cp(join(from, "avatar.json"), join(to, "avatar.json"));
    for (const file of files) {
      const parent = file.parentPath.replace(from, to);
      await mkdir(parent, { recursive: true });
      if (file.isFile()) await link(join(file.parentPath, file.name), join(parent, file.name));
    }
  }
}
