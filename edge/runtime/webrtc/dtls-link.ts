import {
  type DtlsSocket,
  ProtectionProfileAeadAes128Gcm,
  ProtectionProfileAes128CmHmacSha1_80,
  RTCDtlsFingerprint,
  RTCDtlsParameters,
  RTCDtlsTransport,
  type RTCIceTransport,
  type RtcpPacket,
  RtcpSenderInfo,
  RtcpSourceDescriptionPacket,
  RtcpSrPacket,
  RtpHeader,
  SourceDescriptionChunk,
  SourceDescriptionItem,
} from "werift";
import type { RtpLink, SenderReport } from "../../live/rtp/media-sender.ts";
import type { RtpPacket } from "../../live/rtp/rtp-packet.ts";
import type { IceLiteAgent } from "./ice-lite-agent.ts";
import { ServerKey } from "./server-key.ts";

/** Header extensions of one medium; null for none. */
export interface ExtensionIds {
  readonly mid: string;
  readonly midId: number | null;
  readonly sendTimeId: number | null;
}

export interface DtlsLinkOptions {
  readonly agent: IceLiteAgent;
  /** SHA-256 of the peer's certificate, `AB:CD:...`. */
  readonly fingerprint: string;
  readonly cname: string;
  /** By SSRC. */
  readonly extensions: ReadonlyMap<number, ExtensionIds>;
  readonly onRtcp: (packet: RtcpPacket) => void;
  /** The peer said goodbye, or the handshake failed. */
  readonly onClosed: (reason: string) => void;
}

/** SDES item CNAME (RFC 3550, 6.5.1). */
const CNAME = 1;
/** Alert records and close_notify (RFC 5246, 7.2). */
const ALERT = 21;
const CLOSE_NOTIFY = Buffer.from([1, 0]);

/** DTLS and SRTP of one peer: werift's transport on our own ICE. */
export class DtlsLink implements RtpLink {
  readonly #options: DtlsLinkOptions;
  readonly #transport: RTCDtlsTransport;
  #isOpen = false;

  /** Our certificate is one per process; `openCertificate` has to be done. */
  constructor(options: DtlsLinkOptions) {
    this.#options = options;
    const { agent, fingerprint } = options;
    // Of the ICE transport it asks for no more than this.
    const ice = {
      connection: {
        onData: agent.onData,
        send: async (data: Buffer) => agent.send(data),
        close: async () => {},
      },
      role: "controlled",
      stop: async () => {},
    };
    this.#transport = new RTCDtlsTransport(
      {},
      ice as unknown as RTCIceTransport,
      RTCDtlsTransport.localCertificate,
      [ProtectionProfileAeadAes128Gcm, ProtectionProfileAes128CmHmacSha1_80],
    );
    this.#transport.role = "client";
    const prints = [new RTCDtlsFingerprint("sha-256", fingerprint)];
    this.#transport.setRemoteParams(new RTCDtlsParameters(prints, "server"));
    this.#transport.onRtcp.subscribe((packet) => options.onRtcp(packet));
    this.#transport.onStateChange.subscribe((state) => {
      if (state === "closed") options.onClosed("the peer has gone");
    });
  }

  /**
   * Shakes hands.
   * @throws Error when that fails, or the peer is not who offered
   */
  async open(): Promise<void> {
    const opened = this.#transport.start();
    const key = new ServerKey(this.#transport.dtls as DtlsSocket);
    await opened;
    if (!key.isProven()) throw new Error("the peer has not the key of its certificate");
    this.#isOpen = true;
  }

  send(packet: RtpPacket): void {
    if (!this.#isOpen) return;
    const { payload, ssrc, payloadType, sequenceNumber, timestamp, marker } = packet;
    const header = new RtpHeader({ ssrc, payloadType, sequenceNumber, timestamp, marker });
    const ids = this.#options.extensions.get(ssrc);
    if (ids) header.extensions = extensionsOf(ids);
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    // It catches what goes wrong by itself.
    void this.#transport.sendRtp(bytes, header);
  }

  report(reports: readonly SenderReport[]): void {
    if (!this.#isOpen) return;
    for (const { ssrc, ntp, rtpTimestamp, packets, bytes } of reports) {
      const items = [new SourceDescriptionItem({ type: CNAME, text: this.#options.cname })];
      const senderInfo = new RtcpSenderInfo({
        ntpTimestamp: ntp,
        rtpTimestamp,
        packetCount: packets,
        octetCount: bytes,
      });
      this.#transport
        .sendRtcp([
          new RtcpSrPacket({ ssrc, senderInfo }),
          new RtcpSourceDescriptionPacket({
            chunks: [new SourceDescriptionChunk({ source: ssrc, items })],
          }),
        ])
        .catch(() => {});
    }
  }

  /** Says goodbye, so that the peer's page knows at once. */
  close(): void {
    if (this.#isOpen) this.#sayGoodbye(this.#transport.dtls as DtlsSocket);
    this.#isOpen = false;
    this.#transport.stop().catch(() => {});
  }

  #sayGoodbye({ cipher, dtls, sessionType }: DtlsSocket): void {
    const { major, minor } = dtls.version;
    const sequenceNumber = ++dtls.recordSequenceNumber;
    const header = {
      type: ALERT,
      version: (major << 8) | minor,
      epoch: dtls.epoch,
      sequenceNumber,
    };
    const body = cipher.cipher.encrypt(sessionType, CLOSE_NOTIFY, header);
    const record = Buffer.alloc(13 + body.length);
    record.set([ALERT, major, minor]);
    record.writeUInt16BE(dtls.epoch, 3);
    record.writeUIntBE(sequenceNumber, 5, 6);
    record.writeUInt16BE(body.length, 11);
    body.copy(record, 13);
    this.#options.agent.send(record);
  }
}

/** Makes the process' certificate, once. @returns its SHA-256, `AB:CD:...` */
export async function openCertificate(): Promise<string> {
  const certificate = await RTCDtlsTransport.SetupCertificate();
  return certificate.getFingerprints()[0]!.value.toUpperCase();
}

function extensionsOf({ mid, midId, sendTimeId }: ExtensionIds) {
  const extensions: { id: number; payload: Buffer }[] = [];
  if (midId !== null) extensions.push({ id: midId, payload: Buffer.from(mid, "latin1") });
  if (sendTimeId !== null) extensions.push({ id: sendTimeId, payload: sendTime() });
  return extensions;
}

/** abs-send-time: seconds with 18 bits of fraction, 24 bits in all. */
function sendTime(): Buffer {
  const payload = Buffer.alloc(3);
  payload.writeUIntBE(Math.floor(performance.now() * (2 ** 18 / 1000)) % 2 ** 24, 0, 3);
  return payload;
}
