import type { Clock } from "../../../avatar/clock.ts";
import type { RtpPacket } from "./rtp-packet.ts";

/** About two seconds at 5 Mbit/s, and 1.2 MB. Later a receiver asks for a key frame instead. */
const MAX_PACKETS = 1024;
/** The least time between two copies; a round trip if that is longer. */
const MIN_AGAIN_MS = 20;

interface Sent {
  readonly packet: RtpPacket;
  againAtMs: number;
}

/** Packets that may be asked for again (generic NACK, RFC 4585, 6.2.1). Bounded. */
export class SentPackets {
  readonly #clock: Clock;
  /** By sequence number, oldest first. */
  readonly #sent = new Map<number, Sent>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(packet: RtpPacket): void {
    // Deleted first, so that a number that comes again counts as new.
    this.#sent.delete(packet.sequenceNumber);
    this.#sent.set(packet.sequenceNumber, { packet, againAtMs: 0 });
    if (this.#sent.size <= MAX_PACKETS) return;
    for (const oldest of this.#sent.keys()) {
      this.#sent.delete(oldest);
      break;
    }
  }

  /**
   * The packet, if it is still here and no copy of it can be on its way.
   * @param roundTripMs null while it is not known
   */
  take(sequenceNumber: number, roundTripMs: number | null): RtpPacket | null {
    const sent = this.#sent.get(sequenceNumber);
    const nowMs = this.#clock.now();
    if (!sent || nowMs < sent.againAtMs) return null;
    sent.againAtMs = nowMs + Math.max(MIN_AGAIN_MS, roundTripMs ?? 0);
    return sent.packet;
  }
}
