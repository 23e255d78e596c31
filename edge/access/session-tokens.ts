import { errors, type JWK, type JWTHeaderParameters, jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import { RequestError } from "../http/request-error.ts";
import { canSign, checkingKey, type TokenKey } from "./token-keys.ts";

const ISSUER = "mouthpiece";
/** Clocks of edges that share their keys may differ. */
const CLOCK_TOLERANCE_S = 5;
/** A token of ours has about 400. */
const MAX_CHARACTERS = 2048;

export interface SessionTokensOptions {
  /** The first one signs, if it can. */
  readonly keys: readonly TokenKey[];
  readonly audience: string;
  /** Longest life that is given, and accepted. */
  readonly maxLifetimeS: number;
  /** Unix time in milliseconds. */
  readonly date: () => number;
}

export interface SessionClaims {
  readonly tenantId: string;
  /** The only avatar that the token is good for; null for all of the tenant's. */
  readonly avatarId: string | null;
}

export interface IssuedToken {
  readonly token: string;
  readonly id: string;
  /** Unix time in seconds. */
  readonly expiresAtS: number;
}

const claimsSchema = z.object({
  /** The tenant. */
  sub: z.string().min(1).max(64),
  avatar: z.string().min(1).max(200).optional(),
  jti: z.string().min(1).max(64),
  iat: z.number(),
  exp: z.number(),
});

/** Short-lived tokens (RFC 7519) that a tenant gives to the pages of its viewers. */
export class SessionTokens {
  readonly #options: SessionTokensOptions;
  readonly #byId: ReadonlyMap<string, { readonly alg: string; readonly jwk: JWK }>;

  constructor(options: SessionTokensOptions) {
    this.#options = options;
    this.#byId = new Map(
      options.keys.map((key) => [key.kid, { alg: key.alg, jwk: checkingKey(key) }]),
    );
  }

  /** @throws RequestError 404 where tokens are not made */
  async issue(claims: SessionClaims, lifetimeS: number): Promise<IssuedToken> {
    const [key] = this.#options.keys;
    if (!key || !canSign(key)) {
      throw new RequestError(
        404,
        "this edge makes no session tokens: its operator has to give it a signing key (access.tokens)",
      );
    }
    const { tenantId, avatarId } = claims;
    const issuedAtS = Math.floor(this.#options.date() / 1000);
    const expiresAtS = issuedAtS + Math.min(lifetimeS, this.#options.maxLifetimeS);
    const id = crypto.randomUUID();
    const token = await new SignJWT(avatarId === null ? {} : { avatar: avatarId })
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT" })
      .setIssuer(ISSUER)
      .setAudience(this.#options.audience)
      .setSubject(tenantId)
      .setJti(id)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(expiresAtS)
      .sign(key as JWK);
    return { token, id, expiresAtS };
  }

  /** @throws RequestError 401 that says what is wrong with it */
  async check(token: string): Promise<SessionClaims & { readonly id: string }> {
    const { audience, maxLifetimeS, date } = this.#options;
    if (token.length > MAX_CHARACTERS) throw refused("it is too long");
    if (this.#byId.size === 0) throw refused("this edge takes none (access.tokens has no keys)");
    let payload: unknown;
    try {
      ({ payload } = await jwtVerify(token, (header) => this.#keyFor(header), {
        issuer: ISSUER,
        audience,
        algorithms: ["EdDSA", "HS256"],
        requiredClaims: ["sub", "exp", "iat", "jti"],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(date()),
      }));
    } catch (error) {
      throw asRefusal(error);
    }
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) throw refused("its claims are not those of a session token");
    const { sub, avatar, jti, iat, exp } = claims.data;
    // Whoever holds a key may sign what he likes, but not for ever.
    if (exp - iat > maxLifetimeS || iat * 1000 > date() + CLOCK_TOLERANCE_S * 1000) {
      throw refused("its lifetime is longer than access.tokens.max_lifetime_s");
    }
    return { tenantId: sub, avatarId: avatar ?? null, id: jti };
  }

  /** A key is for one algorithm, whatever the token says: `none` is nobody's (RFC 8725, 3.1). */
  #keyFor({ kid, alg }: JWTHeaderParameters): JWK {
    const key = this.#byId.get(kid ?? "");
    if (!key) throw refused("it was signed with a key that is not known here, or no more");
    if (key.alg !== alg) throw refused("its algorithm is not the key's");
    return key.jwk;
  }
}

/**
 * What `jose` says of a token, as a refusal.
 * @param kind of token
 */
export function asRefusal(error: unknown, kind = "session token"): RequestError {
  if (error instanceof RequestError) return error;
  const no = (why: string) => refused(why, kind);
  if (error instanceof errors.JWTExpired) return no("it has expired: ask for another one");
  if (error instanceof errors.JWTClaimValidationFailed) {
    return no(`its ${error.claim} is not what this edge asks for`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return no("its signature is wrong");
  if (error instanceof errors.JOSEError) return no("it is not a token of this edge");
  throw error;
}

function refused(why: string, kind = "session token"): RequestError {
  return new RequestError(401, `the ${kind} is refused: ${why}`);
}
