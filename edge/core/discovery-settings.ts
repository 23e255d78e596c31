import * as z from "zod";

/** More are a mistake: every edge keeps a connection to each. */
export const MAX_CORES = 256;

/** Labels of a DNS name, RFC 1035 section 2.3.1, and the underscore that service names have. */
const DNS_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$/i;

/** `core.discover` of the edge's configuration: the cores are the addresses of a DNS name. */
export const coreDiscoverySchema = z.strictObject({
  /** The whole name: search domains are not tried. In Kubernetes that of a headless service. */
  dns: z
    .string()
    .regex(DNS_NAME, "expected a DNS name such as core-headless.talk.svc.cluster.local"),
  /** Every core's. */
  port: z.int().min(1).max(65_535).default(50_051),
  scheme: z.enum(["http", "https"]).default("http"),
  /** With https, the name that the cores' certificate carries. Default: `dns`. */
  server_name: z.string().regex(DNS_NAME, "expected a DNS name").optional(),
  /** From one answer to the next question, in seconds. */
  interval_s: z.number().min(1).max(3600).default(5),
  /**
   * A core that has been missing from the answers for so long, in seconds, is left. What
   * stops leaves DNS at once and finishes what it has: no less than its drain_timeout_s.
   */
  leave_s: z.number().min(0).max(86_400).default(30),
});

export type CoreDiscovery = z.infer<typeof coreDiscoverySchema>;
