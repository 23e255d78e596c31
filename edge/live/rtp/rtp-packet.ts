/** An RTP packet (RFC 3550, 5.1) without what a transport adds to it. */
export interface RtpPacket {
  readonly ssrc: number;
  readonly payloadType: number;
  /** 16 bits. */
  readonly sequenceNumber: number;
  /** 32 bits, in units of the stream's clock. */
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
}

/** What one stream has sent, for its reports. */
export interface RtpStreamCounts {
  readonly packets: number;
  /** Of payloads. */
  readonly bytes: number;
}

/** Random numbers of 32 bits: first sequence numbers and time stamps must not be guessed (RFC 3550, 5.1). */
export type Random32 = () => number;

/** One SSRC: numbers its packets and counts them. */
export class RtpStream {
  readonly ssrc: number;
  readonly payloadType: number;
  readonly #send: (packet: RtpPacket) => void;
  #sequenceNumber: number;
  #packets = 0;
  #bytes = 0;

  constructor(
    ids: { readonly ssrc: number; readonly payloadType: number },
    random32: Random32,
    send: (packet: RtpPacket) => void,
  ) {
    this.ssrc = ids.ssrc;
    this.payloadType = ids.payloadType;
    this.#sequenceNumber = random32() & 0xffff;
    this.#send = send;
  }

  get counts(): RtpStreamCounts {
    return { packets: this.#packets, bytes: this.#bytes };
  }

  /** Numbers are given when a packet goes out: what was dropped before leaves no gap to ask for. */
  send(payload: Uint8Array, timestamp: number, marker: boolean): RtpPacket {
    const packet = {
      ssrc: this.ssrc,
      payloadType: this.payloadType,
      sequenceNumber: this.#sequenceNumber,
      timestamp,
      marker,
      payload,
    };
    this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff;
    this.#packets = (this.#packets + 1) >>> 0;
    this.#bytes = (this.#bytes + payload.length) >>> 0;
    this.#send(packet);
    return packet;
  }
}
