import type { JWK } from "jose";
import * as z from "zod";
import { parseSettings, SettingsError } from "../../avatar/settings.ts";

const KEY_BYTES = 32;
/** Those that still verify while the next ones sign. */
const MAX_KEYS = 16;

/** 32 bytes in base64url without padding (RFC 7515, 2). */
const bytes32 = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, `expected ${KEY_BYTES} bytes in base64url without padding`);
const common = {
  kid: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, "use 1 to 64 of A-Z a-z 0-9 . _ -"),
  use: z.literal("sig").optional(),
};

/** Ed25519 (RFC 8037): an edge that has no `d` checks tokens and makes none. */
const ed25519 = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  alg: z.literal("EdDSA"),
  x: bytes32,
  d: bytes32.optional(),
  ...common,
});

/** HMAC with SHA-256 (RFC 7518, 3.2: a key as long as the hash at least). */
const hmac = z.strictObject({
  kty: z.literal("oct"),
  alg: z.literal("HS256"),
  k: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43,512}$/, `expected at least ${KEY_BYTES} bytes in base64url`)
    // Six bits are no byte (RFC 4648, 5): it would fail with the first token.
    .refine(
      (text) => text.length % 4 !== 1,
      "expected base64url: a character is too much or lacks",
    ),
  ...common,
});

const keySetSchema = z.strictObject({
  keys: z
    .array(z.discriminatedUnion("alg", [ed25519, hmac]))
    .min(1)
    .max(MAX_KEYS),
});

/** A key that signs or checks tokens, with the one algorithm that it is for. */
export type TokenKey = z.infer<typeof ed25519> | z.infer<typeof hmac>;

/**
 * Keys from a JWK set. The first one signs, if it can; all of them check.
 * @param source Named in errors, which tell nothing of the keys.
 * @throws SettingsError
 */
export function parseTokenKeys(json: string, source: string): TokenKey[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new SettingsError(
      `${source} is no JSON: "mouthpiece keys rotate" writes what is expected here`,
    );
  }
  const { keys } = parseSettings(keySetSchema, value, source);
  if (new Set(keys.map(({ kid }) => kid)).size === keys.length) return keys;
  throw new SettingsError(`${source}: a kid is there twice`);
}

/** Whether tokens can be made with it. */
export function canSign(key: TokenKey): boolean {
  return key.alg === "HS256" || key.d !== undefined;
}

/** For checking alone. */
export function checkingKey(key: TokenKey): JWK {
  if (key.alg === "HS256") {
    const { kty, alg, k, kid } = key;
    return { kty, alg, k, kid };
  }
  const { kty, crv, alg, x, kid } = key;
  return { kty, crv, alg, x, kid };
}
