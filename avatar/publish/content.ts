import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { AvatarError } from "../avatar-error.ts";
import { hashContent } from "../hash-content.ts";
import type { ObjectContent, ObjectStore } from "../object-store.ts";
import { encodePackIndex, type PackEntry } from "../pack.ts";

/** An object that is all in memory. */
export function contentOf(bytes: Uint8Array): ObjectContent {
  return {
    bytes: bytes.length,
    sha256: bytesToHex(sha256(bytes)),
    read: async (start, end) => new Uint8Array(bytes.subarray(start, end)),
  };
}

/** What the content has to be. */
export interface Expected {
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** An object of another store; who writes it checks its hash. */
export function sourceContent(
  store: ObjectStore,
  key: string,
  { bytes, sha256 }: Expected,
): ObjectContent {
  return {
    bytes,
    sha256,
    async read(start, end) {
      const part = await store.read(key, { range: { start, end } });
      if (part?.length === end - start) return part;
      throw changed(key);
    },
  };
}

/**
 * An object of another store whose length and hash are checked now.
 * @throws AvatarError `invalid_avatar` when it is missing or has changed
 */
export async function checkedContent(
  store: ObjectStore,
  key: string,
  expected: Expected,
  signal?: AbortSignal,
): Promise<ObjectContent> {
  const content = sourceContent(store, key, expected);
  const beyond = { start: expected.bytes, end: expected.bytes + 1 };
  const rest = await store.read(key, { range: beyond, ...(signal && { signal }) });
  if (rest?.length !== 0 || (await hashContent(content)) !== expected.sha256) throw changed(key);
  return content;
}

/**
 * A pack that is put together while it is read, so that it never lies on disk
 * twice and never all in memory.
 * @param readEntry gives the same bytes each time
 */
export async function packContent(
  entries: readonly PackEntry[],
  metadata: unknown,
  readEntry: (n: number) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<{ readonly content: ObjectContent; readonly index: Uint8Array<ArrayBuffer> }> {
  const index = encodePackIndex(entries, metadata);
  const starts = [0, index.length];
  for (const entry of entries) starts.push(starts.at(-1)! + entry.bytes);
  const piece = (i: number) => (i === 0 ? Promise.resolve(index) : readEntry(i - 1));

  const unhashed = {
    bytes: starts.at(-1)!,
    async read(start: number, end: number) {
      const bytes = new Uint8Array(end - start);
      // The last piece that begins at or before `start`.
      let i = upperBound(starts, start) - 1;
      for (let at = start; at < end; i++) {
        const from = at - starts[i]!;
        const part = (await piece(i)).subarray(from, from + end - at);
        bytes.set(part, at - start);
        at += part.length;
      }
      return bytes;
    },
  };
  const hash = sha256.create();
  for (let i = 0; i <= entries.length; i++) hash.update(await piece(i));
  return { content: { ...unhashed, sha256: bytesToHex(hash.digest()) }, index };
}

/** The first index whose value is larger. */
function upperBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function changed(key: string): AvatarError {
  return new AvatarError(
    "invalid_avatar",
    `${key} is missing or not what its manifest says: import the avatar again`,
  );
}
