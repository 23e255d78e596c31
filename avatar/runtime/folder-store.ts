import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AvatarError } from "../avatar-error.ts";
import type {
  AvatarStaging,
  ObjectContent,
  ReadOptions,
  WritableStore,
  WriteOptions,
} from "../object-store.ts";
import { isErrorCode } from "./error-code.ts";

/** Object names that may become paths: no empty, `.` or `..` segment, no NUL, no backslash. */
const SAFE_KEY = /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[A-Za-z0-9._/-]+$/;

/** What is copied or hashed at once. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** Avatars in a folder of this machine. */
export function createFolderStore(root: string): WritableStore {
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
    async holds(key, content, signal) {
      return holdsObject(join(root, checkKey(key)), key, content, signal);
    },
    async write(key, content, options) {
      await writeObject(join(root, checkKey(key)), key, content, options);
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
    async overwrite(name, start) {
      await using file = await open(join(folder, checkKey(name)), "r+");
      await file.write(start, 0, start.length, 0);
    },
    read(name) {
      return createReadStream(join(folder, checkKey(name)), { highWaterMark: CHUNK_BYTES });
    },
    async commit(version, pointer) {
      try {
        await rename(folder, join(home, checkKey(version)));
      } catch (error) {
        // The same content was published before: its name says it is the same.
        if (!isErrorCode(error, "ENOTEMPTY", "EEXIST")) throw error;
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

async function holdsObject(
  path: string,
  key: string,
  content: ObjectContent,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await using file = await open(path, "r");
    if ((await file.stat()).size !== content.bytes) return false;
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, signal })) {
      hash.update(chunk);
    }
    return hash.digest("hex") === content.sha256;
  } catch (cause) {
    if (isAbsence(cause)) return false;
    signal?.throwIfAborted();
    throw unavailable(key, cause);
  }
}

/** Writes beside the place and renames, so that nobody sees a part of an object. */
async function writeObject(
  path: string,
  key: string,
  content: ObjectContent,
  { onBytes, signal }: WriteOptions,
): Promise<void> {
  const fresh = join(dirname(path), `.new-${randomBytes(6).toString("hex")}`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const hash = createHash("sha256");
    {
      await using file = await open(fresh, "wx");
      for (let at = 0; at < content.bytes; at += CHUNK_BYTES) {
        signal?.throwIfAborted();
        const chunk = await content.read(at, Math.min(at + CHUNK_BYTES, content.bytes));
        hash.update(chunk);
        await file.writeFile(chunk);
        onBytes(chunk.length);
      }
      // What a rename makes visible must be there after a power cut too.
      await file.sync();
    }
    if (hash.digest("hex") !== content.sha256) {
      throw new AvatarError(
        "store_unavailable",
        `${key} changed while it was written: run it again`,
      );
    }
    await rename(fresh, path);
  } catch (cause) {
    await rm(fresh, { force: true });
    if (cause instanceof AvatarError || signal?.aborted) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AvatarError("store_unavailable", `cannot write ${key}: ${why}`, { cause });
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
  return isErrorCode(error, "ENOENT", "ENOTDIR", "EISDIR");
}
