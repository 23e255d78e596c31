import type { Logger } from "../../avatar/logger.ts";
import { RequestError } from "../http/request-error.ts";
import type { AccessSettings, TenantSettings } from "./access-settings.ts";
import { fingerprintOf, hashOfKey, isApiKey } from "./api-key.ts";
import { bearerOf } from "./bearer.ts";
import { ANYONE, type Caller, type Tenant } from "./caller.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { type IssuedToken, SessionTokens } from "./session-tokens.ts";
import type { TokenKey } from "./token-keys.ts";

export interface AccessOptions {
  readonly settings: AccessSettings;
  /** Whether whoever reaches the edge may use it. */
  readonly isOpen: boolean;
  /** Whether it is open for its address alone, which nobody else reaches but through a proxy. */
  readonly isForThisMachine: boolean;
  readonly tokenKeys: readonly TokenKey[];
  readonly limiter: RateLimiter;
  readonly logger: Logger;
  /** Unix time in milliseconds. */
  readonly date: () => number;
}

/** What of a request says who asks. */
export interface Credentials {
  /** The header's value. */
  readonly authorization: string | null;
  /** Of the page that asks; null when no browser says so. */
  readonly origin: string | null;
  /** Whether that page is one of this edge's own. */
  readonly isSameOrigin: boolean;
  /** Whether a proxy says that it asks for somebody else. */
  readonly isForwarded: boolean;
}

/** What a join token says of who brings it. */
export interface JoinIdentity {
  readonly tenantId: string | null;
  readonly avatarId: string;
  /** Its `jti`. */
  readonly id: string;
}

/** Who may use the edge, and how much. */
export class Access {
  readonly isOpen: boolean;
  /** Whether it is open for its address alone, which nobody else reaches but through a proxy. */
  readonly isForThisMachine: boolean;
  /** Longest life of a session token, in seconds. */
  readonly maxLifetimeS: number;
  /** With which tokens are signed and checked: the same at all edges of an audience. */
  readonly tokenKeys: readonly TokenKey[];
  readonly audience: string;
  readonly #limiter: RateLimiter;
  readonly #logger: Logger;
  readonly #tokens: SessionTokens;
  readonly #tenants: ReadonlyMap<string, Tenant>;
  /** Of all tenants. */
  readonly #origins: ReadonlySet<string>;
  /** By the hash of the key. */
  readonly #holders = new Map<string, Caller>();

  constructor(options: AccessOptions) {
    const { settings, isOpen, tokenKeys, limiter, logger, date } = options;
    const { audience, max_lifetime_s } = settings.tokens;
    this.isOpen = isOpen;
    this.isForThisMachine = options.isForThisMachine;
    this.maxLifetimeS = max_lifetime_s;
    this.tokenKeys = tokenKeys;
    this.audience = audience;
    this.#limiter = limiter;
    this.#logger = logger.with({ audit: true });
    this.#tokens = new SessionTokens({
      keys: tokenKeys,
      audience,
      maxLifetimeS: max_lifetime_s,
      date,
    });
    this.#tenants = new Map(settings.tenants.map((tenant) => [tenant.id, toTenant(tenant)]));
    this.#origins = new Set(settings.tenants.flatMap(({ origins }) => origins));
    const none = { avatarId: null } as const;
    for (const { id, keys } of settings.tenants) {
      const tenant = this.#tenants.get(id)!;
      for (const hash of keys) {
        const credential = fingerprintOf(hash);
        this.#holders.set(hash, { kind: "key", tenant, credential, ...none });
      }
    }
    for (const hash of settings.operator_keys) {
      const credential = fingerprintOf(hash);
      this.#holders.set(hash, { kind: "operator", tenant: null, credential, ...none });
    }
  }

  /** Whether a page may read answers that say nothing of a tenant's: refusals, and preflights. */
  knowsOrigin(origin: string): boolean {
    return this.isOpen || this.#origins.has("*") || this.#origins.has(origin);
  }

  /** @throws RequestError 401 or 403, which is in the log by then */
  async admit(credentials: Credentials, requestId: string): Promise<Caller> {
    let caller: Caller | null = null;
    try {
      if (this.isOpen) return this.#admitAnyone(credentials);
      caller = await this.#identify(credentials.authorization);
      checkOrigin(caller, credentials);
      return caller;
    } catch (error) {
      if (error instanceof RequestError) {
        const tenant = caller?.tenant?.id;
        this.#logger.warn("access refused", {
          requestId,
          ...(tenant !== undefined && { tenant }),
          ...(credentials.origin !== null && { origin: credentials.origin.slice(0, 200) }),
          reason: error.message,
        });
      }
      throw error;
    }
  }

  /** Counts a call that costs something. @throws RequestError 429 */
  async count({ tenant, credential }: Caller, requestId: string): Promise<void> {
    if (!tenant) return;
    const waitS = await this.#limiter.take(tenant.id, tenant.requestsPerMinute);
    if (waitS === 0) return;
    this.#logger.warn("too many requests", { requestId, tenant: tenant.id, credential });
    throw new RequestError(429, `${tenant.id} asks too often: try again in ${waitS} s`, waitS);
  }

  /**
   * A token for a viewer's page.
   * @param avatarId the only avatar that it is good for; null for all of the tenant's
   * @throws RequestError 403, 404
   */
  async issueToken(
    caller: Caller,
    avatarId: string | null,
    lifetimeS: number,
    requestId: string,
  ): Promise<IssuedToken> {
    if (caller.kind === "anyone") {
      throw new RequestError(404, "this edge is open: no tokens are needed here");
    }
    if (caller.kind !== "key" || !caller.tenant) {
      throw new RequestError(403, "session tokens are made with a tenant's API key");
    }
    const { tenant, credential } = caller;
    const issued = await this.#tokens.issue({ tenantId: tenant.id, avatarId }, lifetimeS);
    const expires = new Date(issued.expiresAtS * 1000).toISOString();
    const fields = { requestId, tenant: tenant.id, credential, token: issued.id, expires };
    this.#logger.info("token issued", {
      ...fields,
      ...(avatarId !== null && { avatar: avatarId }),
    });
    return issued;
  }

  /**
   * Who comes with a token of a live session, which has been checked.
   * @param tenantId null where no tenant made the session
   * @throws RequestError 401, 403
   */
  admitJoining(
    { tenantId, avatarId, id }: JoinIdentity,
    credentials: Omit<Credentials, "authorization">,
  ): Caller {
    if (this.isOpen) this.#admitAnyone({ ...credentials, authorization: null });
    const tenant = tenantId === null ? null : (this.#tenants.get(tenantId) ?? null);
    if (tenantId !== null && !tenant) {
      throw new RequestError(401, "the join token is refused: its tenant is not known here");
    }
    const caller = { kind: "token", tenant, avatarId, credential: id } as const;
    checkOrigin(caller, { ...credentials, authorization: null });
    return caller;
  }

  #admitAnyone({ isForwarded }: Credentials): Caller {
    if (!isForwarded || !this.isForThisMachine) return ANYONE;
    throw new RequestError(
      403,
      "this edge lets everybody in because only its own machine reaches it, and now a proxy asks for others: its operator has to name tenants, or set access.open: true",
    );
  }

  async #identify(authorization: string | null): Promise<Caller> {
    if (authorization === null) {
      throw new RequestError(
        401,
        "this edge asks for an API key or a session token: send Authorization: Bearer ...",
      );
    }
    const given = bearerOf(authorization);
    if (given === undefined) {
      throw new RequestError(401, "Authorization has to be one Bearer and one key or token");
    }
    if (given.startsWith("mpk_")) {
      // What is looked up is the hash: how long that takes tells nothing of any key.
      const holder = isApiKey(given) ? this.#holders.get(hashOfKey(given)) : undefined;
      if (holder) return holder;
      throw new RequestError(401, "the API key is not known here");
    }
    const { tenantId, avatarId, id } = await this.#tokens.check(given);
    const tenant = this.#tenants.get(tenantId);
    if (tenant) return { kind: "token", tenant, avatarId, credential: id };
    throw new RequestError(401, "the session token is refused: its tenant is not known here");
  }
}

function toTenant(settings: TenantSettings): Tenant {
  const { id, origins, requests_per_minute, speaking, sessions } = settings;
  const all = new Set(origins);
  return {
    id,
    requestsPerMinute: requests_per_minute ?? null,
    maxSpeaking: speaking ?? null,
    maxSessions: sessions ?? null,
    allowsOrigin: (origin) => all.has("*") || all.has(origin),
  };
}

/** What a page may not read it may not have done either: a key that was found is of less use. */
function checkOrigin({ tenant }: Caller, { origin, isSameOrigin }: Credentials): void {
  if (origin === null || isSameOrigin || !tenant || tenant.allowsOrigin(origin)) return;
  throw new RequestError(
    403,
    `pages of ${origin.slice(0, 200)} may not use this key or token: its tenant's origins do not name them`,
  );
}
