import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { ObjectContent } from "./object-store.ts";

/** What is hashed at once. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** SHA-256 of an object, in hexadecimal, read piece by piece. */
export async function hashContent(content: Pick<ObjectContent, "bytes" | "read">): Promise<string> {
  const hash = sha256.create();
  for (let at = 0; at < content.bytes; at += CHUNK_BYTES) {
    hash.update(await content.read(at, Math.min(at + CHUNK_BYTES, content.bytes)));
  }
  return bytesToHex(hash.digest());
}
