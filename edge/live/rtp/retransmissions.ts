import type { PacedSource } from "./pacer.ts";
import type { RtpPacket, RtpStream } from "./rtp-packet.ts";

/** More than that is not lost but cut off: a key frame is what helps then. */
const MAX_WAITING = 256;

/** Packets that go out again, in a stream of their own (RFC 4588). */
export class Retransmissions implements PacedSource {
  readonly #stream: RtpStream;
  readonly #sent: (bytes: number) => void;
  #waiting: RtpPacket[] = [];

  /** @param sent told of each packet's bytes */
  constructor(stream: RtpStream, sent: (bytes: number) => void) {
    this.#stream = stream;
    this.#sent = sent;
  }

  get count(): number {
    return this.#stream.counts.packets;
  }

  push(packet: RtpPacket): void {
    this.#waiting.push(packet);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
  }

  /** A key frame comes: what was missed before it is not missed any more. */
  clear(): void {
    this.#waiting = [];
  }

  sendNext(): number {
    const packet = this.#waiting.shift();
    if (!packet) return 0;
    const { sequenceNumber, timestamp, marker, payload } = packet;
    // The original sequence number goes before the payload (RFC 4588, 4).
    const again = new Uint8Array(2 + payload.length);
    again[0] = sequenceNumber >> 8;
    again[1] = sequenceNumber & 0xff;
    again.set(payload, 2);
    this.#stream.send(again, timestamp, marker);
    this.#sent(again.length);
    return again.length;
  }
}
