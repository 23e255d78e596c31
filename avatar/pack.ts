import { AvatarError } from "./avatar-error.ts";

/**
 * A pack: one object that holds one entry per frame, so that a frame is one
 * range read. All numbers little-endian:
 *
 * | offset | type | meaning |
 * |---|---|---|
 * | 0 | 8 bytes | `mpthpack` |
 * | 8 | u32 | format version, 1 |
 * | 12 | u32 | number of entries, n |
 * | 16 | u32 | length of the metadata in bytes, m |
 * | 20 | u32 | 0 |
 * | 24 | u64 x (n + 1) | offset of each entry from the start of the object, and of the end |
 * | 24 + 8 (n + 1) | m bytes | metadata: JSON, meaning is the kind's own |
 * | ... | | the entries, in order, without gaps |
 */
const MAGIC = "mpthpack";
const PACK_VERSION = 1;
const FIXED_BYTES = 24;
/** Bounds the index of a damaged or hostile pack. */
const MAX_ENTRIES = 100_000;
const MAX_METADATA_BYTES = 16 * 1024 * 1024;

/** The index of a pack: where each entry lies. */
export interface PackIndex {
  /** n + 1 offsets from the start of the object, in bytes. */
  readonly offsets: Float64Array;
  readonly metadata: unknown;
}

/** Range read of a pack: bytes `[start, end)`, fewer only at the end of the object. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>;

/** The bytes before the first entry, for entries of the given lengths. */
export function encodePackHeader(lengths: readonly number[], metadata: unknown): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(metadata));
  const bodyStart = FIXED_BYTES + 8 * (lengths.length + 1) + json.length;
  const bytes = new Uint8Array(bodyStart);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, PACK_VERSION, true);
  view.setUint32(12, lengths.length, true);
  view.setUint32(16, json.length, true);
  let offset = bodyStart;
  lengths.forEach((length, n) => {
    view.setBigUint64(FIXED_BYTES + 8 * n, BigInt(offset), true);
    offset += length;
  });
  view.setBigUint64(FIXED_BYTES + 8 * lengths.length, BigInt(offset), true);
  bytes.set(json, bodyStart - json.length);
  return bytes;
}

/**
 * Reads the index of a pack with two range reads.
 * @param source Named in errors.
 * @throws AvatarError `invalid_avatar` when it is no pack or is damaged.
 */
export async function readPackIndex(read: ReadRange, source: string): Promise<PackIndex> {
  const fixed = await read(0, FIXED_BYTES);
  const { entries, metadataBytes } = decodeFixed(fixed, source);
  const end = FIXED_BYTES + 8 * (entries + 1) + metadataBytes;
  return decodeIndex(await read(FIXED_BYTES, end), entries, metadataBytes, source);
}

function decodeFixed(bytes: Uint8Array, source: string) {
  if (bytes.length < FIXED_BYTES) throw damaged(source, "it is shorter than its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (new TextDecoder().decode(bytes.subarray(0, 8)) !== MAGIC) {
    throw damaged(source, "it does not start with the mark of a pack");
  }
  const version = view.getUint32(8, true);
  if (version !== PACK_VERSION) throw damaged(source, `format version ${version} is not known`);
  const entries = view.getUint32(12, true);
  const metadataBytes = view.getUint32(16, true);
  if (entries > MAX_ENTRIES || metadataBytes > MAX_METADATA_BYTES) {
    throw damaged(source, "its index is larger than any pack's");
  }
  return { entries, metadataBytes };
}

function decodeIndex(
  bytes: Uint8Array,
  entries: number,
  metadataBytes: number,
  source: string,
): PackIndex {
  const indexBytes = 8 * (entries + 1);
  if (bytes.length < indexBytes + metadataBytes) throw damaged(source, "its index is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsets = new Float64Array(entries + 1);
  let previous = FIXED_BYTES + indexBytes + metadataBytes;
  for (let n = 0; n <= entries; n++) {
    const offset = Number(view.getBigUint64(8 * n, true));
    if (offset < previous || !Number.isSafeInteger(offset)) {
      throw damaged(source, `the offset of entry ${n} runs backwards`);
    }
    offsets[n] = offset;
    previous = offset;
  }
  const json = new TextDecoder().decode(bytes.subarray(indexBytes, indexBytes + metadataBytes));
  try {
    return { offsets, metadata: JSON.parse(json) };
  } catch {
    throw damaged(source, "its metadata is not JSON");
  }
}

function damaged(source: string, why: string): AvatarError {
  return new AvatarError("invalid_avatar", `${source} is not a valid pack: ${why}; publish again`);
}
