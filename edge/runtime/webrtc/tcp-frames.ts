/** Length before each packet (RFC 4571, 2). */
const LENGTH_BYTES = 2;

/** A packet as it goes over a connection. */
export function framed(packet: Uint8Array): Buffer {
  const frame = Buffer.alloc(LENGTH_BYTES + packet.length);
  frame.writeUInt16BE(packet.length);
  frame.set(packet, LENGTH_BYTES);
  return frame;
}

/** Takes packets out of a connection's bytes. Holds no more than one that is not whole yet. */
export class FrameReader {
  readonly #maxBytes: number;
  #rest: Buffer = Buffer.alloc(0);

  /** @param maxBytes what a packet may have */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the packets that are whole now; null when one is longer than may be */
  read(chunk: Buffer): Buffer[] | null {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const packets: Buffer[] = [];
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.length) {
      const length = bytes.readUInt16BE(at);
      if (length > this.#maxBytes) return null;
      const end = at + LENGTH_BYTES + length;
      if (end > bytes.length) break;
      packets.push(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    return packets;
  }
}
