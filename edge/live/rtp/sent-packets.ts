import type { Clock } from "../../../avatar/clock.ts";
import type { RtpPacket } from "./rtp-packet.ts";

/** 1.2 MB; half a second of 20 Mbit/s. */
const MAX_PACKETS = 1024;
/** What is older comes too late to be shown: a key frame serves better. */
const MAX_AGE_MS = 600;
/** The least time between two copies; a round trip if that is longer. */
const MIN_AGAIN_MS = 20;
const SEQUENCE_NUMBERS = 2 ** 16;

interface Sent {
  readonly packet: RtpPacket;
  readonly sentAtMs: number;
  againAtMs: number;
}

/** Packets that may be asked for again (generic NACK, RFC 4585, 6.2.1). Bounded. */
export class SentPackets {
  readonly #clock: Clock;
  /** By sequence number, oldest first. */
  readonly #sent = new Map<number, Sent>();
  /** Where the last key frame began; nothing from before it is of use. Null before there was one. */
  #keyFrame: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param isKeyStart whether a key frame begins with it */
  add(packet: RtpPacket, isKeyStart: boolean): void {
    const { sequenceNumber } = packet;
    if (isKeyStart) this.#keyFrame = sequenceNumber;
    // Deleted first, so that a number that comes again counts as new.
    this.#sent.delete(sequenceNumber);
    this.#sent.set(sequenceNumber, { packet, sentAtMs: this.#clock.now(), againAtMs: 0 });
    if (this.#sent.size <= MAX_PACKETS) return;
    for (const oldest of this.#sent.keys()) {
      this.#sent.delete(oldest);
      break;
    }
  }

  /**
   * The packet; null when it is of no use any more, or a copy of it may be on
   * its way; "gone" when it is missed and cannot be had.
   * @param roundTripMs null while it is not known
   */
  take(sequenceNumber: number, roundTripMs: number | null): RtpPacket | "gone" | null {
    if (this.#keyFrame === null || isBefore(sequenceNumber, this.#keyFrame)) return null;
    const sent = this.#sent.get(sequenceNumber);
    const nowMs = this.#clock.now();
    if (!sent || nowMs - sent.sentAtMs > MAX_AGE_MS) return "gone";
    if (nowMs < sent.againAtMs) return null;
    sent.againAtMs = nowMs + Math.max(MIN_AGAIN_MS, roundTripMs ?? 0);
    return sent.packet;
  }
}

/** Sequence numbers go round (RFC 1982). */
function isBefore(a: number, b: number): boolean {
  return (b - a + SEQUENCE_NUMBERS) % SEQUENCE_NUMBERS < SEQUENCE_NUMBERS / 2 && a !== b;
}
