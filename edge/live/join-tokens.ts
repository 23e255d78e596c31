import { decodeJwt, type JWK, jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import { asRefusal } from "../access/session-tokens.ts";
import { canSign, checkingKey, type TokenKey } from "../access/token-keys.ts";
import { RequestError } from "../http/request-error.ts";

const ISSUER = "mouthpiece";
/** A token of a session is good for nothing else, nor any other for a session. */
const AUDIENCE_SUFFIX = "/live";
const MAX_CHARACTERS = 2048;
const CLOCK_TOLERANCE_S = 5;
const LOCAL_KEY_BYTES = 32;
/** Of no tenant: the edge is open, or an operator made the session. */
const NOBODY = "-";

/** What somebody may do in a session: watch, or give it speech. Both may speak and interrupt. */
export type JoinRole = "viewer" | "speaker";

export interface JoinClaims {
  readonly sessionId: string;
  readonly avatarId: string;
  readonly tenantId: string | null;
  readonly role: JoinRole;
}

export interface JoinTokensOptions {
  /** The first one signs, if it can. */
  readonly keys: readonly TokenKey[];
  readonly audience: string;
  /** Life of a token until it is first used, in seconds. */
  readonly lifetimeS: number;
  /** Unix time in milliseconds. */
  readonly date: () => number;
}

const claimsSchema = z.object({
  sub: z.string().min(1).max(64),
  avatar: z.string().min(1).max(200),
  sid: z.string().min(1).max(64),
  role: z.enum(["viewer", "speaker"]),
  jti: z.string().min(1).max(64),
  iat: z.number(),
  exp: z.number(),
});

/** Tokens with which viewers and speakers join a live session (RFC 7519). */
export class JoinTokens {
  readonly #options: JoinTokensOptions;
  /** Where the operator gave no keys: of this process alone. */
  #local: TokenKey | null = null;

  constructor(options: JoinTokensOptions) {
    this.#options = options;
  }

  async issue(
    claims: JoinClaims,
  ): Promise<{ readonly token: string; readonly expiresAtS: number }> {
    const { audience, lifetimeS, date } = this.#options;
    const key = this.#keys().find(canSign);
    if (!key) {
      throw new RequestError(
        404,
        "this edge makes no sessions: its operator has to give it a signing key (access.tokens)",
      );
    }
    const issuedAtS = Math.floor(date() / 1000);
    const expiresAtS = issuedAtS + Math.ceil(lifetimeS);
    const { sessionId: sid, avatarId: avatar, role } = claims;
    const token = await new SignJWT({ sid, avatar, role })
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT" })
      .setIssuer(ISSUER)
      .setAudience(audience + AUDIENCE_SUFFIX)
      .setSubject(claims.tenantId ?? NOBODY)
      .setJti(crypto.randomUUID())
      .setIssuedAt(issuedAtS)
      .setExpirationTime(expiresAtS)
      .sign(key as JWK);
    return { token, expiresAtS };
  }

  /**
   * What a token says. One that has expired is told so: whoever has joined with it may come back.
   * @throws RequestError 401
   */
  async check(
    token: string,
  ): Promise<JoinClaims & { readonly id: string; readonly isExpired: boolean }> {
    const { audience, date } = this.#options;
    if (token.length > MAX_CHARACTERS) throw refused("it is too long");
    let payload: unknown;
    try {
      const { exp = 0 } = decodeJwt(token);
      ({ payload } = await jwtVerify(token, ({ kid, alg }) => this.#keyFor(kid, alg), {
        issuer: ISSUER,
        audience: audience + AUDIENCE_SUFFIX,
        algorithms: ["EdDSA", "HS256"],
        requiredClaims: ["sub", "exp", "iat", "jti"],
        clockTolerance: CLOCK_TOLERANCE_S,
        // Its end is looked at below.
        currentDate: new Date(Math.min(date(), 1000 * (exp - 1))),
      }));
    } catch (error) {
      throw asRefusal(error, "join token");
    }
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) throw refused("its claims are not those of a join token");
    const { sub, avatar, sid, role, jti, exp } = claims.data;
    return {
      sessionId: sid,
      avatarId: avatar,
      tenantId: sub === NOBODY ? null : sub,
      role,
      id: jti,
      isExpired: date() > 1000 * (exp + CLOCK_TOLERANCE_S),
    };
  }

  /** A key is for one algorithm, whatever the token says (RFC 8725, 3.1). */
  #keyFor(kid: string | undefined, alg: string): JWK {
    const key = this.#keys().find((each) => each.kid === kid);
    if (key?.alg !== alg) {
      throw refused(
        "it was signed with a key that is not known here: where several edges or isolates serve, they need the same keys (access.tokens)",
      );
    }
    return checkingKey(key);
  }

  #keys(): readonly TokenKey[] {
    if (this.#options.keys.length > 0) return this.#options.keys;
    // Not before a request: Workers have no randomness until then.
    this.#local ??= localKey();
    return [this.#local];
  }
}

function localKey(): TokenKey {
  const random = crypto.getRandomValues(new Uint8Array(LOCAL_KEY_BYTES));
  const base64 = btoa(String.fromCharCode(...random));
  const k = base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return { kty: "oct", alg: "HS256", k, kid: "this-process" };
}

function refused(why: string): RequestError {
  return new RequestError(401, `the join token is refused: ${why}`);
}
