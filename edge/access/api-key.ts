import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

/** Tells a key from everything else, so that scanners for lost secrets find it. */
const PREFIX = "mpk_";
const RANDOM_BYTES = 32;
const KEY = /^mpk_[A-Za-z0-9_-]{43}$/;
/** Anywhere in a text, whole or cut off. */
const IN_TEXT = /mpk_[A-Za-z0-9_-]+/g;
const FINGERPRINT_DIGITS = 8;

/**
 * A new API key: 256 random bits, so its plain SHA-256 can be kept where the key
 * must not be. (Slow hashes are for what people choose.)
 */
export function createApiKey(): string {
  const random = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
  const base64 = btoa(String.fromCharCode(...random));
  return PREFIX + base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function isApiKey(text: string): boolean {
  return KEY.test(text);
}

/** `sha256:...`, as `access` of the configuration has it. */
export function hashOfKey(key: string): string {
  return `sha256:${bytesToHex(sha256(utf8ToBytes(key)))}`;
}

/** Names a key in logs. @param hash see hashOfKey */
export function fingerprintOf(hash: string): string {
  return hash.slice("sha256:".length, "sha256:".length + FINGERPRINT_DIGITS);
}

export function holdsApiKey(text: string): boolean {
  return text.search(IN_TEXT) >= 0;
}

/** The text without the keys that have strayed into it. */
export function withoutKeys(text: string): string {
  return text.replace(IN_TEXT, `${PREFIX}***`);
}
