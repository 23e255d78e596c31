import { type Clock, systemClock } from "../../../avatar/clock.ts";
import type { Logger } from "../../../avatar/logger.ts";
import { SettingsError } from "../../../avatar/settings.ts";
import { RequestError } from "../../http/request-error.ts";
import type { MediaSenderStats } from "../../live/rtp/media-sender.ts";
import type { WebRtcSettings } from "../../live/webrtc-settings.ts";
import { readOffer } from "../../live/whep/offer.ts";
import type { Attach, WhepPeers } from "../../live/whep/whep.ts";
import { openCertificate } from "./dtls-link.ts";
import { hostAddresses } from "./host-addresses.ts";
import { IceRouter } from "./ice-router.ts";
import { listenOnTcp, type TcpListener } from "./tcp-listener.ts";
import { listenOnUdp, type UdpListener } from "./udp-listener.ts";
import { WebRtcPeer, type WebRtcPeerState } from "./webrtc-peer.ts";

export interface WebRtcPeersOptions {
  readonly settings: Pick<
    WebRtcSettings,
    "udp_ports" | "addresses" | "ice_tcp" | "max_peers" | "kilobits"
  >;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Unix time in milliseconds. Default: the system's. */
  readonly unixMs?: () => number;
}

/** One peer, for metrics and for whoever looks into trouble. */
export interface WebRtcPeerStats extends MediaSenderStats {
  readonly id: string;
  readonly state: WebRtcPeerState;
}

/** A browser tries again by itself no sooner than its page does. */
const RETRY_AFTER_S = 5;
/** A browser tries over TCP from each of its networks. */
const CONNECTIONS_PER_PEER = 4;

/** Everybody who watches this edge by WebRTC. */
export interface WebRtcPeers extends WhepPeers {
  /** Those who watch, and those who are about to. */
  readonly count: number;
  stats(): WebRtcPeerStats[];
  /** Ends all, and takes no more. */
  stop(): Promise<void>;
}

/**
 * Opens the sockets that all peers share.
 * @throws SettingsError when there is no address or no port to be had
 */
export async function createWebRtcPeers(
  options: WebRtcPeersOptions,
  logger: Logger,
): Promise<WebRtcPeers> {
  const { udp_ports, addresses = hostAddresses(), ice_tcp, max_peers, kilobits } = options.settings;
  if (addresses.length === 0) {
    throw new SettingsError("webrtc.addresses: this machine has none of its own: name one");
  }
  const router = new IceRouter();
  const fingerprint = await openCertificate();
  const listeners: (UdpListener | TcpListener)[] = [];
  const closeListeners = () => Promise.all(listeners.map((listener) => listener.close()));
  try {
    for (const address of addresses) {
      const udp = await listenOnUdp({ address, ports: udp_ports ?? null, router, logger });
      listeners.push(udp);
      if (!ice_tcp) continue;
      const { port } = udp.candidate;
      const maxConnections = CONNECTIONS_PER_PEER * max_peers;
      listeners.push(await listenOnTcp({ address, port, router, logger, maxConnections }));
    }
  } catch (error) {
    await closeListeners();
    throw error;
  }
  const candidates = listeners
    .map(({ candidate }) => candidate)
    .sort((a, b) => Number(a.protocol === "tcp") - Number(b.protocol === "tcp"));
  logger.info("WebRTC is ready", { candidates });
  const peers = new Map<string, WebRtcPeer>();
  let isStopped = false;
  return {
    get count() {
      return peers.size;
    },
    async accept(sdp: string, attach: Attach) {
      if (isStopped || peers.size >= max_peers) {
        throw new RequestError(429, "no more viewers are taken by WebRTC now", RETRY_AFTER_S);
      }
      const peer = new WebRtcPeer({
        offer: readOffer(sdp),
        attach,
        clock: options.clock ?? systemClock,
        unixMs: options.unixMs ?? Date.now,
        logger,
        candidates,
        fingerprint,
        rate: kilobits,
        onClosed: (closed) => {
          peers.delete(closed.id);
          router.remove(closed.agent);
        },
      });
      peers.set(peer.id, peer);
      router.add(peer.agent);
      return { id: peer.id, answer: peer.answer };
    },
    async close(id) {
      const peer = peers.get(id);
      peer?.close("it was ended");
      return peer !== undefined;
    },
    stats: () => [...peers.values()].map(({ id, state, stats }) => ({ id, state, ...stats })),
    async stop() {
      isStopped = true;
      for (const peer of [...peers.values()]) peer.close("the edge stops");
      await closeListeners();
    },
  };
}
