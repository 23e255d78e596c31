import { createHash, timingSafeEqual } from "node:crypto";

/** RFC 6750, 2.1; the scheme is case-insensitive (RFC 9110, 11.1). */
const BEARER = /^Bearer +(\S+) *$/i;

/** The bearer tokens that let a caller in. */
export class Tokens {
  readonly #digests: readonly Buffer[];

  constructor(tokens: readonly string[]) {
    this.#digests = tokens.map(digestOf);
  }

  /** @param authorization the header's value; null when there was none */
  accept(authorization: string | null): boolean {
    const token = BEARER.exec(authorization ?? "")?.[1];
    if (token === undefined) return false;
    // Digests have one length, and all are looked at: the time tells nothing about any token.
    const digest = digestOf(token);
    return this.#digests.filter((known) => timingSafeEqual(known, digest)).length > 0;
  }
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
