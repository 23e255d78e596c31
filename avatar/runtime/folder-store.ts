import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AvatarError } from "../avatar-error.ts";
import type { AvatarStaging, ObjectStore, ReadOptions } from "../object-store.ts";

/** Object names that may become paths: no empty, `.` or `..` segment, no NUL, no backslash. */
const SAFE_KEY = /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[A-Za-z0-9._/-]+$/;

/** Avatars in a folder of this machine. */
export function createFolderStore(root: string): ObjectStore {
  return {
    async read(key, options = {}) {
      checkKey(key);
      return readObject(join(root, key), key, options);
    },
    async list(prefix) {
      checkKey(prefix.replace(/\/$/, ""));
      try {
        return (await readdir(join(root, prefix))).sort();
      } catch (cause) {
        if (isAbsence(cause)) return [];
        throw unavailable(prefix, cause);
      }
    },
  };
}

/** A version of avatar `id` being written below `root`; committed by renaming. */
export async function createFolderStaging(root: string, id: string): Promise<AvatarStaging> {
  const home = join(root, "avatars", checkKey(id));
  const folder = join(home, `.staging-${randomBytes(6).toString("hex")}`);
  await mkdir(folder, { recursive: true });
  return {
    async write(name, content) {
      const path = join(folder, checkKey(name));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    },
    async commit(version, pointer) {
      try {
        await rename(folder, join(home, checkKey(version)));
      } catch (error) {
        // The same content was published before: its name says it is the same.
        if (!isCode(error, "ENOTEMPTY", "EEXIST")) throw error;
      }
      const fresh = join(home, `.avatar-${randomBytes(6).toString("hex")}.json`);
      await writeFile(fresh, pointer);
      await rename(fresh, join(home, "avatar.json"));
    },
    async discard() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function readObject(
  path: string,
  key: string,
  { range, signal }: ReadOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  signal?.throwIfAborted();
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    const start = Math.min(range?.start ?? 0, size);
    const end = Math.min(range?.end ?? size, size);
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
      if (bytesRead === 0) throw new Error("the file became shorter while it was read");
      filled += bytesRead;
    }
    return bytes;
  } catch (cause) {
    if (isAbsence(cause)) return null;
    throw unavailable(key, cause);
  }
}

function checkKey(key: string): string {
  if (SAFE_KEY.test(key)) return key;
  throw new AvatarError("invalid_id", `${JSON.stringify(key.slice(0, 80))} cannot name an object`);
}

function unavailable(key: string, cause: unknown): AvatarError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AvatarError("store_unavailable", `cannot read ${key}: ${why}`, { cause });
}

function isAbsence(error: unknown): boolean {
  return isCode(error, "ENOENT", "ENOTDIR", "EISDIR");
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
