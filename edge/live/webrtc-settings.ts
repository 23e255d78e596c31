import * as z from "zod";
import type { TurnSettings } from "./whep/turn-credentials.ts";

const ADDRESS = z.union([z.ipv4(), z.ipv6()], "expected an IP address");

const port = z.int().min(1).max(65_535);

/**
 * `webrtc` of the edge's configuration: live sessions over UDP. Only an edge
 * on Node has it; without the section there is none.
 */
export const webrtcSchema = z.strictObject({
  /**
   * All peers of a process share one UDP port per address: the first of these that is
   * free, so several edges of one machine find each their own. Default: any.
   */
  udp_ports: z
    .strictObject({ min: port, max: port })
    .refine(({ min, max }) => min <= max, "min must not be greater than max")
    .optional(),
  /**
   * Addresses that peers are told to send to: this machine's, or the public one that a
   * NAT maps to it port by port. Default: loopback where the edge listens on loopback, otherwise
   * every other address of this machine.
   */
  addresses: z.array(ADDRESS).min(1).max(16).optional(),
  /** Whether connections over TCP are taken too (RFC 6544), on the same port, for networks without UDP. */
  ice_tcp: z.boolean().default(false),
  /** Given to peers, so that they find a way out of their own network: `stun:` URLs. */
  stun: z
    .array(z.string().regex(/^stuns?:[^\s<>"]+$/, "expected a stun: URL"))
    .max(8)
    .default([]),
  /** Relays, for peers whose network lets nothing else through. */
  turn: z
    .strictObject({
      urls: z
        .array(z.string().regex(/^turns?:[^\s<>"]+$/, "expected a turn: URL"))
        .min(1)
        .max(8),
      /** Shared with the TURN server: `static-auth-secret` of coturn. */
      secret: z.string().min(16).max(1024),
      /** Life of what a peer is given, in seconds. */
      lifetime_s: z.int().min(60).max(86_400).default(3600),
    })
    .optional(),
  /** Peers at the same time; more are told to come back. */
  max_peers: z.int().min(1).max(10_000).default(100),
  /** What may be sent to one peer, in kilobits per second. */
  kilobits: z
    .strictObject({
      start: z.int().min(50).max(50_000).default(1000),
      min: z.int().min(50).max(50_000).default(100),
      max: z.int().min(50).max(50_000).default(6000),
    })
    .refine(({ start, min, max }) => min <= start && start <= max, "expected min <= start <= max")
    .prefault({}),
});

export type WebRtcSettings = z.infer<typeof webrtcSchema>;

/** The relays as the signalling wants them; null for none. */
export function turnSettingsOf({ turn }: WebRtcSettings): TurnSettings | null {
  return turn ? { urls: turn.urls, secret: turn.secret, lifetimeS: turn.lifetime_s } : null;
}
