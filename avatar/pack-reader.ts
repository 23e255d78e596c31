import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { AvatarError } from "./avatar-error.ts";
import { crc32 } from "./image/crc32.ts";
import type { StoredPack } from "./manifest.ts";
import type { ObjectStore, ReadOptions } from "./object-store.ts";
import { damagedPack, decodePackIndex, type PackIndex } from "./pack.ts";

export interface OpenPackOptions {
  /** Entries that the pack must have; any number if left out. */
  readonly entries?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads entries of a pack, each with one range read. Every byte is checked
 * against a hash before anyone uses it: the index against the manifest's
 * SHA-256, an entry against the index's CRC-32.
 */
export class PackReader {
  /** What the kind keeps beside its entries. */
  readonly metadata: unknown;
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #index: PackIndex;

  private constructor(store: ObjectStore, key: string, index: PackIndex) {
    this.#store = store;
    this.#key = key;
    this.#index = index;
    this.metadata = index.metadata;
  }

  /**
   * Reads and checks the index: one range read of `pack.indexBytes`.
   * @param pack what the manifest says of it
   * @throws AvatarError `damaged` or `store_unavailable`
   */
  static async open(
    store: ObjectStore,
    key: string,
    pack: StoredPack,
    { entries, signal }: OpenPackOptions = {},
  ): Promise<PackReader> {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = await readIndex(store, key, pack, signal ? { signal } : {});
    } catch (error) {
      if (!isDamage(error)) throw error;
      // Once more: it may have been cut short on its way, or a cache may hold it so.
      bytes = await readIndex(store, key, pack, { isRefresh: true, ...(signal && { signal }) });
    }
    const index = decodePackIndex(bytes, pack.bytes, key);
    if (entries !== undefined && index.count !== entries) {
      throw damagedPack(key, `it has ${index.count} entries for ${entries} frames`);
    }
    return new PackReader(store, key, index);
  }

  /** Number of entries. */
  get count(): number {
    return this.#index.count;
  }

  /** Memory that the index takes, about. */
  get memoryBytes(): number {
    return 16 * this.#index.count + 1024;
  }

  /** Length of entry `n` in bytes. @throws RangeError when there is no such entry */
  entryBytes(n: number): number {
    const bytes = this.#index.lengths[n];
    if (bytes === undefined) throw new RangeError(`no entry ${n}: there are ${this.count}`);
    return bytes;
  }

  /** Bytes that `readSpan(first, last)` reads, to bound a span before it is read. */
  spanBytes(first: number, last: number): number {
    this.entryBytes(first);
    const end = this.#index.offsets[last]! + this.entryBytes(last);
    return Math.max(0, end - this.#index.offsets[first]!);
  }

  /**
   * Entry `n`; its buffer holds nothing else.
   * @throws AvatarError `damaged` or `store_unavailable`, RangeError
   */
  async read(n: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const [entry] = await this.readSpan(n, n, signal);
    return entry!;
  }

  /**
   * Entries `first` to `last`, both included, with one range read. Each has a
   * buffer of its own, so that keeping one does not keep its neighbours (the
   * copy costs less than a tenth of checking the CRC).
   * @throws AvatarError `damaged` or `store_unavailable`, RangeError
   */
  async readSpan(
    first: number,
    last: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>[]> {
    if (last < first) throw new RangeError(`a span from ${first} to ${last}`);
    try {
      return await this.#readSpan(first, last, signal ? { signal } : {});
    } catch (error) {
      if (!isDamage(error)) throw error;
      return this.#readSpan(first, last, { isRefresh: true, ...(signal && { signal }) });
    }
  }

  async #readSpan(first: number, last: number, options: ReadOptions) {
    const length = this.spanBytes(first, last);
    const start = this.#index.offsets[first]!;
    const range = { start, end: start + length };
    const span =
      length === 0 ? new Uint8Array(0) : await this.#store.read(this.#key, { ...options, range });
    if (!span) throw damagedPack(this.#key, "it is missing");
    const entries: Uint8Array<ArrayBuffer>[] = [];
    for (let n = first; n <= last; n++) entries.push(this.#cut(span, start, n));
    return entries;
  }

  #cut(span: Uint8Array<ArrayBuffer>, spanStart: number, n: number): Uint8Array<ArrayBuffer> {
    const start = this.#index.offsets[n]! - spanStart;
    const end = start + this.#index.lengths[n]!;
    if (end > span.length) throw damagedPack(this.#key, `it ends within entry ${n}`);
    if (crc32(span, start, end) !== this.#index.checksums[n]) {
      throw damagedPack(this.#key, `entry ${n} has changed`);
    }
    const isWholeBuffer = start === 0 && end === span.buffer.byteLength;
    return isWholeBuffer ? span : span.slice(start, end);
  }
}

/** The bytes of the index, as they were published. */
async function readIndex(store: ObjectStore, key: string, pack: StoredPack, options: ReadOptions) {
  const range = { start: 0, end: pack.indexBytes };
  const bytes = await store.read(key, { ...options, range });
  if (!bytes) throw damagedPack(key, "it is missing");
  if (bytes.length !== pack.indexBytes) throw damagedPack(key, "its index is cut off");
  if (bytesToHex(sha256(bytes)) !== pack.indexSha256) {
    throw damagedPack(key, "its index is not the one that was published");
  }
  return bytes;
}

function isDamage(error: unknown): boolean {
  return error instanceof AvatarError && error.code === "damaged";
}
