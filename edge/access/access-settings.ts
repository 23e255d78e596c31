import * as z from "zod";
import { TENANT_ID, TENANT_ID_RULE } from "../../avatar/tenant-id.ts";

/** Of tenants and of operators: a config of this size is still read in a moment. */
const MAX_TENANTS = 10_000;
const MAX_KEYS = 32;

const tenantId = z.string().regex(TENANT_ID, TENANT_ID_RULE);

/** What an API key is known by: the key itself is kept nowhere. */
const keyHash = z
  .string()
  .regex(
    /^sha256:[0-9a-f]{64}$/,
    'expected sha256: and 64 hexadecimal digits: "mouthpiece keys create" prints a key and its hash',
  );

/** `https://host[:port]` as browsers send it (RFC 6454, 6.2), or `*` for every page. */
const origin = z
  .string()
  .refine(
    (value) => value === "*" || isOrigin(value),
    "expected an origin such as https://www.example.com, without a path, or *",
  );

const tenantSchema = z.strictObject({
  id: tenantId,
  /** Several, so that one can be replaced while the other still works. */
  keys: z.array(keyHash).max(MAX_KEYS).default([]),
  /** Pages that may use the tenant's keys and tokens. Without any only pages of this edge may. */
  origins: z.array(origin).max(256).default([]),
  /** Calls but for idle frames; in Workers per isolate. Without it they are not counted. */
  requests_per_minute: z.int().min(1).max(10_000_000).optional(),
  /** Utterances at the same time; in Workers per isolate. Without it only limits.max_speaking counts. */
  speaking: z.int().min(1).max(100_000).optional(),
  /** Live sessions at the same time; in Workers per isolate. Without it only live.max_sessions counts. */
  sessions: z.int().min(1).max(100_000).optional(),
});

/** `access` of the edge's configuration: who may use it. */
export const accessSchema = z.strictObject({
  /** Whether whoever reaches the edge may use it. Without tenants a loopback address is open by itself. */
  open: z.boolean().optional(),
  tenants: z.array(tenantSchema).max(MAX_TENANTS).default([]),
  /** Keys that see the metrics and every avatar. */
  operator_keys: z.array(keyHash).max(MAX_KEYS).default([]),
  /** Session tokens. */
  tokens: z
    .strictObject({
      /** JWK set (RFC 7517); without it MOUTHPIECE_TOKEN_KEYS holds one. The first key signs. */
      keys_file: z.string().min(1).optional(),
      /** Who the tokens are for: the same at all edges that share their keys. */
      audience: z.string().min(1).max(200).default("mouthpiece"),
      /** Longest life of a token, in seconds. */
      max_lifetime_s: z.int().min(10).max(86_400).default(3600),
    })
    .prefault({}),
});

export type AccessSettings = z.infer<typeof accessSchema>;
export type TenantSettings = z.infer<typeof tenantSchema>;

/** What is wrong beyond single values; null for nothing. */
export function contradictionIn({ open, tenants, operator_keys }: AccessSettings): string | null {
  const ids = new Set<string>();
  const keys = new Set<string>();
  for (const { id, keys: own } of tenants) {
    if (ids.has(id)) return `access.tenants: ${id} is there twice`;
    ids.add(id);
    for (const key of own) {
      if (keys.has(key)) return `access.tenants: a key of ${id} is there twice`;
      keys.add(key);
    }
  }
  if (operator_keys.some((key) => keys.has(key))) {
    return "access.operator_keys: a key is a tenant's too";
  }
  if (open && (tenants.length > 0 || operator_keys.length > 0)) {
    return "access.open: an open edge asks for no keys: leave out open, or the keys";
  }
  return null;
}

function isOrigin(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === value;
}
