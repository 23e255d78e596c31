import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../../avatar/logger.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { isErrorCode } from "../../avatar/runtime/error-code.ts";
import { CoreError } from "../core-error.ts";

/** What is asked of the store at once. */
const CHUNK_BYTES = 8 * 1024 * 1024;
/** What is hashed of a file at once: others wait for it, about a millisecond. */
const READ_BYTES = 1024 * 1024;
/** Objects that are downloaded or verified at the same time. */
const MAX_DOWNLOADS = 4;
const COMPLETE = /^[0-9a-f]{64}$/;
const PARTIAL = /\.part$/;

/** An object as a manifest describes it. */
export interface CacheEntry {
  readonly key: string;
  readonly bytes: number;
  /** SHA-256 of all of it, in hexadecimal; its name in the cache. */
  readonly sha256: string;
}

/** A file that stays until it is released. */
export interface HeldFile {
  readonly path: string;
  release(): void;
}

export interface ModelCacheOptions {
  readonly folder: string;
  readonly maxBytes: number;
  readonly store: ObjectStore;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

interface CachedFile {
  bytes: number;
  /** Whether this process has seen that its content is what its name says. */
  isVerified: boolean;
  /** Order of the last uses. */
  lastUse: number;
  holds: number;
}

/**
 * Objects of a bucket on this machine's disk, named by the hash of their
 * content: downloaded once, verified as they arrive and when a later process
 * first uses them, least recently used ones removed for others, never one that
 * is held. One process per folder.
 */
export class ModelCache {
  readonly #options: ModelCacheOptions;
  readonly #files = new Map<string, CachedFile>();
  /** By hash: what is being verified or downloaded. */
  readonly #arrivals = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  /** Bytes that downloads under way will take. */
  #reserved = 0;
  #running = 0;
  #uses = 0;

  private constructor(options: ModelCacheOptions) {
    this.#options = options;
  }

  /** Finds what an earlier process left; removes what it had not finished. @throws CoreError `failed_precondition` */
  static async open(options: ModelCacheOptions): Promise<ModelCache> {
    const cache = new ModelCache(options);
    try {
      await cache.#readFolder();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new CoreError(
        "failed_precondition",
        `model_cache.path: ${options.folder} cannot be used: ${why}`,
        { cause },
      );
    }
    return cache;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return [...this.#files.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * The object as a file, downloaded if need be; one download however many ask.
   * @throws CoreError `failed_precondition` (it is not what the manifest says),
   * `unavailable` (the store), `resource_exhausted` (the disk or the cache is full)
   */
  async hold(entry: CacheEntry): Promise<HeldFile> {
    const { sha256 } = entry;
    const path = join(this.#options.folder, sha256);
    // Somebody may have emptied the folder under us.
    if (this.#files.has(sha256) && !(await hasSize(path, entry.bytes))) this.#files.delete(sha256);
    while (!this.#files.get(sha256)?.isVerified) await this.#arrive(entry);
    const file = this.#files.get(sha256)!;
    file.holds++;
    file.lastUse = ++this.#uses;
    const now = new Date();
    // The order of uses for the next process; without it the files are merely in another order.
    await utimes(path, now, now).catch(() => {});
    let isReleased = false;
    return {
      path,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        file.holds--;
      },
    };
  }

  async #readFolder(): Promise<void> {
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true });
    const found: { name: string; bytes: number; usedMs: number }[] = [];
    for (const name of await readdir(folder)) {
      if (PARTIAL.test(name)) await rm(join(folder, name), { force: true });
      if (!COMPLETE.test(name)) continue;
      const { size, mtimeMs } = await stat(join(folder, name));
      found.push({ name, bytes: size, usedMs: mtimeMs });
    }
    for (const { name, bytes } of found.sort((a, b) => a.usedMs - b.usedMs)) {
      this.#files.set(name, { bytes, isVerified: false, lastUse: ++this.#uses, holds: 0 });
    }
    await this.#makeRoom(0);
  }

  /** One at a time for each file, however many ask. */
  #arrive(entry: CacheEntry): Promise<void> {
    const under = this.#arrivals.get(entry.sha256);
    if (under) return under;
    const arrival = this.#inTurn(() => this.#verifyOrDownload(entry)).finally(() =>
      this.#arrivals.delete(entry.sha256),
    );
    this.#arrivals.set(entry.sha256, arrival);
    return arrival;
  }

  async #verifyOrDownload(entry: CacheEntry): Promise<void> {
    const { folder, logger } = this.#options;
    const { sha256, key } = entry;
    const file = this.#files.get(sha256);
    if (!file) return this.#download(entry);
    // It must not leave while it is read.
    file.holds++;
    try {
      file.isVerified = (await hashOf(join(folder, sha256))) === sha256;
    } finally {
      file.holds--;
    }
    if (file.isVerified) return;
    logger.warn("a file of the model cache was damaged: it is downloaded again", { key });
    this.#files.delete(sha256);
    await rm(join(folder, sha256), { force: true });
    await this.#download(entry);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= MAX_DOWNLOADS) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  async #download(entry: CacheEntry): Promise<void> {
    const { folder, logger } = this.#options;
    const { key, bytes, sha256 } = entry;
    const started = performance.now();
    const partial = join(folder, `${sha256}.${randomBytes(6).toString("hex")}.part`);
    this.#reserved += bytes;
    try {
      await this.#makeRoom(0);
      await this.#fetch(partial, entry);
      await rename(partial, join(folder, sha256));
    } catch (error) {
      await rm(partial, { force: true });
      throw asDiskError(error, folder);
    } finally {
      this.#reserved -= bytes;
    }
    // In the same breath: whoever makes room counts it once, as one or the other.
    this.#files.set(sha256, { bytes, isVerified: true, lastUse: ++this.#uses, holds: 0 });
    logger.info("downloaded", { key, bytes, ms: Math.round(performance.now() - started) });
  }

  async #fetch(path: string, entry: CacheEntry): Promise<void> {
    await using file = await open(path, "wx");
    await this.#fetchInto(file, entry);
    await file.sync();
  }

  async #fetchInto(file: FileHandle, { key, bytes, sha256 }: CacheEntry): Promise<void> {
    const { store, signal } = this.#options;
    const hash = createHash("sha256");
    for (let start = 0; start < bytes; start += CHUNK_BYTES) {
      const end = Math.min(start + CHUNK_BYTES, bytes);
      const chunk = await store.read(key, { range: { start, end }, signal });
      if (chunk?.length !== end - start) {
        throw new CoreError("failed_precondition", `${key} is not complete: publish it again`);
      }
      hash.update(chunk);
      // The system may take less than it is given.
      for (let at = 0; at < chunk.length; ) {
        at += (await file.write(chunk, at, chunk.length - at, start + at)).bytesWritten;
      }
    }
    if (hash.digest("hex") === sha256) return;
    throw new CoreError(
      "failed_precondition",
      `${key} is not what its manifest says: publish the avatar again`,
    );
  }

  /** Removes files that nobody holds until `extra` more bytes fit. @throws CoreError `resource_exhausted` */
  async #makeRoom(extra: number): Promise<void> {
    const { maxBytes, folder, logger } = this.#options;
    const full = () => {
      const gigabytes = (maxBytes / 1024 ** 3).toFixed(1);
      return new CoreError(
        "resource_exhausted",
        `the model cache is full of models in use (${gigabytes} GB): raise model_cache.max_gb`,
        { reason: "disk_full" },
      );
    };
    const held = [...this.#files.values()].filter(({ holds }) => holds > 0);
    const heldBytes = held.reduce((sum, { bytes }) => sum + bytes, 0);
    // Nothing leaves for what would still not fit.
    if (heldBytes + this.#reserved + extra > maxBytes) throw full();
    while (this.bytes + this.#reserved + extra > maxBytes) {
      const [victim] = [...this.#files]
        .filter(([, { holds }]) => holds === 0)
        .sort(([, a], [, b]) => a.lastUse - b.lastUse);
      if (!victim) throw full();
      this.#files.delete(victim[0]);
      await rm(join(folder, victim[0]), { force: true });
      logger.debug("left the model cache", { file: victim[0] });
    }
  }
}

/** SHA-256 in hexadecimal; empty when there is no such file. */
async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
      hash.update(chunk);
    }
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) return "";
    throw error;
  }
  return hash.digest("hex");
}

async function hasSize(path: string, bytes: number): Promise<boolean> {
  try {
    return (await stat(path)).size === bytes;
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) return false;
    throw error;
  }
}

function asDiskError(error: unknown, folder: string): unknown {
  if (!isErrorCode(error, "ENOSPC")) return error;
  return new CoreError(
    "resource_exhausted",
    `the disk of ${folder} is full (model_cache.path): make room, or lower model_cache.max_gb`,
    { cause: error, reason: "disk_full" },
  );
}
