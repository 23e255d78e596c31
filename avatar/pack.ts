import { AvatarError } from "./avatar-error.ts";
import { crc32 } from "./image/crc32.ts";

/**
 * A pack: one object that holds an entry per frame, so that a frame is one
 * range read. All numbers little-endian:
 *
 * | offset | type | meaning |
 * |---|---|---|
 * | 0 | 8 bytes | `mpthpack` |
 * | 8 | u32 | format version, 1 |
 * | 12 | u32 | number of entries, n |
 * | 16 | u32 | length of the metadata in bytes, m |
 * | 20 | u32 | CRC-32 of what follows up to the end of the metadata |
 * | 24 | 16 bytes x n | per entry: u64 offset from the start of the object, u32 length in bytes, u32 CRC-32 |
 * | 24 + 16 n | m bytes | metadata: JSON, its meaning is the kind's own |
 * | ... | | the entries, in order; they do not overlap |
 *
 * What comes before the entries is the index. The manifest knows its length
 * and SHA-256, so one range read brings it, and the index of another pack is
 * told from it. Entries are opaque and may have any length, none included.
 */
const MAGIC = "mpthpack";
const PACK_VERSION = 1;
export const PACK_HEADER_BYTES = 24;
const RECORD_BYTES = 16;

/** Bounds of what an index may make a reader allocate. */
export const MAX_PACK_ENTRIES = 100_000;
export const MAX_ENTRY_BYTES = 256 * 1024 * 1024;
const MAX_METADATA_BYTES = 1024 * 1024;
export const MAX_INDEX_BYTES =
  PACK_HEADER_BYTES + RECORD_BYTES * MAX_PACK_ENTRIES + MAX_METADATA_BYTES;

/** The index of a pack: where each entry lies. */
export interface PackIndex {
  /** Number of entries. */
  readonly count: number;
  /** Of each entry, from the start of the object, in bytes. */
  readonly offsets: Float64Array;
  /** Length of each entry in bytes. */
  readonly lengths: Uint32Array;
  /** CRC-32 of each entry. */
  readonly checksums: Uint32Array;
  readonly metadata: unknown;
}

/** What the index has to know of an entry. */
export interface PackEntry {
  readonly bytes: number;
  readonly crc32: number;
}

/** Length of the index in bytes, for so many entries and this metadata. */
export function packIndexBytes(entries: number, metadata: unknown): number {
  return PACK_HEADER_BYTES + RECORD_BYTES * entries + encodeMetadata(metadata).length;
}

/**
 * The index of a pack whose entries follow it in order, without gaps.
 * @throws RangeError beyond what readers accept
 */
export function encodePackIndex(
  entries: readonly PackEntry[],
  metadata: unknown,
): Uint8Array<ArrayBuffer> {
  const json = encodeMetadata(metadata);
  if (entries.length > MAX_PACK_ENTRIES || json.length > MAX_METADATA_BYTES) {
    throw new RangeError(`${entries.length} entries with ${json.length} bytes of metadata`);
  }
  const metadataStart = PACK_HEADER_BYTES + RECORD_BYTES * entries.length;
  const bytes = new Uint8Array(metadataStart + json.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, PACK_VERSION, true);
  view.setUint32(12, entries.length, true);
  view.setUint32(16, json.length, true);
  let offset = bytes.length;
  for (const [n, entry] of entries.entries()) {
    if (entry.bytes > MAX_ENTRY_BYTES) throw new RangeError(`entry ${n} has ${entry.bytes} bytes`);
    const at = PACK_HEADER_BYTES + RECORD_BYTES * n;
    view.setBigUint64(at, BigInt(offset), true);
    view.setUint32(at + 8, entry.bytes, true);
    view.setUint32(at + 12, entry.crc32, true);
    offset += entry.bytes;
  }
  bytes.set(json, metadataStart);
  view.setUint32(20, crc32(bytes, PACK_HEADER_BYTES), true);
  return bytes;
}

/**
 * Reads an index, and checks that every entry lies in the object, after the
 * one before it. Memory is taken once the index has proved to be as long as it
 * claims, and never more than twice its length.
 * @param bytes exactly the index
 * @param objectBytes length of the whole pack
 * @param source Named in errors.
 * @throws AvatarError `invalid_avatar`
 */
export function decodePackIndex(bytes: Uint8Array, objectBytes: number, source: string): PackIndex {
  const { entries: count, metadataBytes, checksum } = decodeHeader(bytes, source);
  const metadataStart = PACK_HEADER_BYTES + RECORD_BYTES * count;
  const end = metadataStart + metadataBytes;
  if (bytes.length < end) throw damagedPack(source, "its index is cut off");
  if (bytes.length > end) throw damagedPack(source, "its index is shorter than announced");
  if (crc32(bytes, PACK_HEADER_BYTES) !== checksum) {
    throw damagedPack(source, "its index has changed");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsets = new Float64Array(count);
  const lengths = new Uint32Array(count);
  const checksums = new Uint32Array(count);
  let free = end;
  for (let n = 0; n < count; n++) {
    const at = PACK_HEADER_BYTES + RECORD_BYTES * n;
    const offset = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    const length = view.getUint32(at + 8, true);
    if (length > MAX_ENTRY_BYTES) throw damagedPack(source, `entry ${n} has ${length} bytes`);
    if (offset < free) throw damagedPack(source, `entry ${n} overlaps what is before it`);
    if (offset + length > objectBytes) {
      throw damagedPack(
        source,
        `entry ${n} ends at ${offset + length} and the pack at ${objectBytes}`,
      );
    }
    offsets[n] = offset;
    lengths[n] = length;
    checksums[n] = view.getUint32(at + 12, true);
    free = offset + length;
  }
  const json = new TextDecoder().decode(bytes.subarray(metadataStart, end));
  try {
    return { count, offsets, lengths, checksums, metadata: JSON.parse(json) };
  } catch {
    throw damagedPack(source, "its metadata is not JSON");
  }
}

function decodeHeader(bytes: Uint8Array, source: string) {
  if (bytes.length < PACK_HEADER_BYTES) {
    throw damagedPack(source, "it is shorter than its header");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (String.fromCharCode(...bytes.subarray(0, 8)) !== MAGIC) {
    throw damagedPack(source, "it does not start with the mark of a pack");
  }
  const version = view.getUint32(8, true);
  if (version !== PACK_VERSION) {
    throw damagedPack(source, `format version ${version} is not known`);
  }
  const entries = view.getUint32(12, true);
  const metadataBytes = view.getUint32(16, true);
  if (entries > MAX_PACK_ENTRIES || metadataBytes > MAX_METADATA_BYTES) {
    throw damagedPack(source, "its index is larger than any pack's");
  }
  return { entries, metadataBytes, checksum: view.getUint32(20, true) };
}

/** A pack that cannot be used. */
export function damagedPack(source: string, why: string): AvatarError {
  return new AvatarError(
    "damaged",
    `${source} is not a valid pack: ${why}; publish the avatar again if that stays so`,
  );
}

function encodeMetadata(metadata: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(metadata));
}
