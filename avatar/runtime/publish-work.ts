import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { AvatarError } from "../avatar-error.ts";
import { checkAvatarId } from "../avatar-id.ts";
import { crc32 } from "../image/crc32.ts";
import type { PublishWork } from "../publish/publish-work.ts";
import { isErrorCode } from "./error-code.ts";

/** After an entry: the SHA-256 of the frame that it was made from, and the CRC-32 of all before it. */
const HASH_BYTES = 32;
const TRAILER_BYTES = HASH_BYTES + 4;

const stateSchema = z.strictObject({
  uploadId: z.string(),
  partBytes: z.int().positive(),
  parts: z.record(z.string(), z.string()),
});

export interface PublishWorkOptions {
  /** Folder that holds `avatars/`; the work goes into `.publish/` beside it. */
  readonly root: string;
  readonly id: string;
  /** All that the entries depend on: a change makes a new folder. */
  readonly ingredients: unknown;
  /** Names the target, in the state of uploads. */
  readonly target: string;
}

export interface FolderPublishWork extends PublishWork {
  /** Everything has been published: removes the folder. */
  finish(): Promise<void>;
  /** Lets another process go on. Safe after `finish`. */
  release(): Promise<void>;
}

/**
 * The work of a publish in a folder. Files appear whole or not at all, so
 * that it may be cut off at any point.
 * @throws AvatarError `store_unavailable` when another process publishes the same
 */
export async function openPublishWork(options: PublishWorkOptions): Promise<FolderPublishWork> {
  const { root, id, ingredients, target } = options;
  const name = hashOf(JSON.stringify(ingredients)).slice(0, 32);
  const base = join(root, ".publish");
  const folder = join(base, `${checkAvatarId(id)}-${name}`);
  await mkdir(folder, { recursive: true });
  const lock = await takeLock(join(folder, "lock"), id);
  const entryPath = (kind: string, index: number) => join(folder, kind, String(index));

  return {
    async readEntry(kind, index, frameSha256) {
      const file = await readIfThere(entryPath(kind, index));
      return file && openEntry(file, frameSha256);
    },
    async writeEntry(kind, index, frameSha256, entry) {
      const file = Buffer.alloc(entry.length + TRAILER_BYTES);
      file.set(entry);
      file.write(frameSha256, entry.length, "hex");
      file.writeUInt32LE(crc32(file, 0, entry.length + HASH_BYTES), entry.length + HASH_BYTES);
      await replaceFile(entryPath(kind, index), file);
    },
    journal(object) {
      const path = join(folder, "uploads", `${hashOf(`${target} ${object}`).slice(0, 32)}.json`);
      return {
        async read() {
          const file = await readIfThere(path);
          const state = stateSchema.safeParse(parseJson(file));
          return state.success ? state.data : null;
        },
        write: (state) => replaceFile(path, Buffer.from(JSON.stringify(state))),
      };
    },
    async finish() {
      await rm(folder, { recursive: true, force: true });
      // Unless others are at work.
      await rmdir(base).catch(() => {});
    },
    release: lock.release,
  };
}

function openEntry(file: Buffer, frameSha256: string): Uint8Array<ArrayBuffer> | null {
  const end = file.length - TRAILER_BYTES;
  if (end < 0) return null;
  if (crc32(file, 0, end + HASH_BYTES) !== file.readUInt32LE(end + HASH_BYTES)) return null;
  if (file.toString("hex", end, end + HASH_BYTES) !== frameSha256) return null;
  return new Uint8Array(file.buffer as ArrayBuffer, file.byteOffset, end);
}

/** Locks of this process. */
const locksHeld = new Set<string>();

/** A courtesy: two that publish the same at once would only get in each other's way. */
async function takeLock(path: string, id: string) {
  const own = `${process.pid} ${(await startOf(process.pid)) ?? ""}`.trim();
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(path, own, { flag: "wx" });
      locksHeld.add(path);
      return {
        async release() {
          locksHeld.delete(path);
          await rm(path, { force: true });
        },
      };
    } catch (error) {
      if (!isErrorCode(error, "EEXIST")) throw error;
    }
    const [pid = "", start] = ((await readIfThere(path))?.toString() ?? "").split(" ");
    const isHeld = locksHeld.has(path) || (await isAlive(Number(pid), start));
    if (attempt > 0 || isHeld) {
      throw new AvatarError(
        "store_unavailable",
        `process ${pid} is publishing ${id} already: wait for it, or remove ${path} if that is not so`,
      );
    }
    // Who held it was killed.
    await rm(path, { force: true });
  }
}

/** Whether the process that took a lock still runs: the number alone may be another's by now. */
async function isAlive(pid: number, start: string | undefined): Promise<boolean> {
  // A restarted container gives the same number again; this process holds what `locksHeld` has.
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!isErrorCode(error, "EPERM")) return false;
  }
  const now = await startOf(pid);
  return start === undefined || now === null || now === start;
}

/** When a process started, in ticks since the machine did; null where the system does not tell. */
async function startOf(pid: number): Promise<string | null> {
  const stat = (await readIfThere(`/proc/${pid}/stat`))?.toString();
  // Field 22 of proc_pid_stat(5); the second is a name in brackets that may hold anything.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  const fresh = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(fresh, content);
  } catch (error) {
    if (!isErrorCode(error, "ENOENT")) throw error;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(fresh, content);
  }
  await rename(fresh, path);
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isErrorCode(error, "ENOENT", "ENOTDIR", "EISDIR")) return null;
    throw error;
  }
}

function parseJson(file: Buffer | null): unknown {
  try {
    return file && JSON.parse(file.toString());
  } catch {
    return null;
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
