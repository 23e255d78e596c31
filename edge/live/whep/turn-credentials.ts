/** Where relays are, and the secret that they share with this edge. */
export interface TurnSettings {
  readonly urls: readonly string[];
  /** Shared with the TURN server (`static-auth-secret` of coturn). */
  readonly secret: string;
  /** Life of a credential in seconds. */
  readonly lifetimeS: number;
}

/** A user and a password that a TURN server accepts for some time. */
export interface TurnCredential {
  readonly username: string;
  readonly password: string;
  /** Unix time in seconds. */
  readonly expiresAtS: number;
}

/**
 * A short-lived credential (draft-uberti-behave-turn-rest-00, 2.2): the name
 * says when it ends, and the password is its HMAC-SHA1 under the shared secret.
 * @param id whose it is: what the relay's log will show
 * @param unixMs Unix time in milliseconds
 */
export async function issueTurnCredential(
  { secret, lifetimeS }: Pick<TurnSettings, "secret" | "lifetimeS">,
  id: string,
  unixMs: number,
): Promise<TurnCredential> {
  const expiresAtS = Math.floor(unixMs / 1000) + lifetimeS;
  const username = `${expiresAtS}:${id}`;
  const utf8 = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-1" };
  const key = await crypto.subtle.importKey("raw", utf8.encode(secret), algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, utf8.encode(username));
  return {
    username,
    password: btoa(String.fromCharCode(...new Uint8Array(signature))),
    expiresAtS,
  };
}
