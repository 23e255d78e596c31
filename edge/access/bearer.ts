/** RFC 6750, 2.1; the scheme is case-insensitive (RFC 9110, 11.1). */
const BEARER = /^Bearer +(\S{1,4096}) *$/i;

/** The key or token in the value of `Authorization`; undefined when there is none, or more than one. */
export function bearerOf(authorization: string): string | undefined {
  return BEARER.exec(authorization)?.[1];
}
