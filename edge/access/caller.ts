import type { PublishedAvatar } from "../../avatar/catalogue.ts";

/** Who asks, as far as the edge has made sure of it. */
export interface Caller {
  /** `anyone`: the edge is open. */
  readonly kind: "anyone" | "key" | "token" | "operator";
  /** Null of `anyone` and of operators. */
  readonly tenant: Tenant | null;
  /** The only avatar that a token is good for; null for all that the tenant may see. */
  readonly avatarId: string | null;
  /** Names the credential in logs: part of a key's hash, or a token's `jti`. Null where there is none. */
  readonly credential: string | null;
}

/** On whose account a call goes. */
export interface Tenant {
  readonly id: string;
  /** Calls per minute; null: not counted. */
  readonly requestsPerMinute: number | null;
  /** Utterances at the same time; null: only the edge's own limit counts. */
  readonly maxSpeaking: number | null;
  /** Live sessions at the same time; null: only the edge's own limit counts. */
  readonly maxSessions: number | null;
  allowsOrigin(origin: string): boolean;
}

/** An edge that is open asks nobody. */
export const ANYONE: Caller = { kind: "anyone", tenant: null, avatarId: null, credential: null };

/** Whether the caller may know that the avatar is there. One without a tenant is everybody's. */
export function maySee({ tenant, avatarId }: Caller, avatar: PublishedAvatar): boolean {
  if (avatarId !== null && avatar.summary.id !== avatarId) return false;
  return tenant === null || avatar.tenant === null || avatar.tenant === tenant.id;
}

/** For a log line. */
export function callerFields({ kind, tenant, credential }: Caller): Record<string, string> {
  return {
    ...(kind === "operator" && { caller: "operator" }),
    ...(tenant && { tenant: tenant.id }),
    ...(credential !== null && { credential }),
  };
}
