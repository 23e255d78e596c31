import {
  DtlsClient,
  type DtlsSocket,
  Event,
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
import type { Clock } from "../../../avatar/clock.ts";
import type { RtpLink, SenderReport } from "../../live/rtp/media-sender.ts";
import type { RtpPacket } from "../../live/rtp/rtp-packet.ts";
import { closeNotify, repeatedFinished } from "./dtls-records.ts";
import type { IceLiteAgent } from "./ice-lite-agent.ts";
import { ServerKey } from "./server-key.ts";

/** Header extensions of one medium; null for none. */
export interface ExtensionIds {
  readonly mid: string;
  readonly midId: number | null;
  readonly sendTimeId: number | null;
}

export interface DtlsLinkOptions {
  readonly clock: Clock;
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

/**
 * All that a peer may say in DTLS: a handshake has 3 KB, some of it twice or
 * three times. What werift puts together from fragments knows no bound.
 */
const MAX_DTLS_BYTES = 64 * 1024;
/** Beyond the last flight of a handshake (RFC 6347, 4.2.4). */
const NO_MORE_FLIGHTS = 100;
/** SDES item CNAME (RFC 3550, 6.5.1). */
const CNAME = 1;
/** How often our end of a handshake is said again. */
const REPEAT_MS = 400;

/** DTLS and SRTP of one peer: werift's transport on our own ICE. */
export class DtlsLink implements RtpLink {
  readonly #options: DtlsLinkOptions;
  readonly #transport: RTCDtlsTransport;
  readonly #incoming = new Event<[Buffer]>();
  #isOpen = false;
  #dtlsBytes = 0;
  #cancelRepeat = () => {};

  /** Our certificate is one per process; `openCertificate` has to be done. */
  constructor(options: DtlsLinkOptions) {
    this.#options = options;
    const { agent, fingerprint } = options;
    // Of the ICE transport it asks for no more than this.
    const ice = {
      connection: {
        onData: this.#incoming,
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
    agent.onData.subscribe((data) => this.#receive(data));
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
    const socket = this.#transport.dtls as DtlsSocket;
    const key = new ServerKey(socket);
    this.#repeat(socket);
    await opened.finally(() => this.#cancelRepeat());
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
    const socket = this.#transport.dtls;
    if (this.#isOpen && socket) this.#options.agent.send(closeNotify(socket));
    this.#isOpen = false;
    this.#cancelRepeat();
    // It would begin a handshake yet, or repeat its part of one for half a minute, to nobody.
    if (socket) socket.dtls.flight = NO_MORE_FLIGHTS;
    if (socket instanceof DtlsClient) socket.connect = async () => {};
    this.#transport.stop().catch(() => {});
  }

  #repeat(socket: DtlsSocket): void {
    this.#cancelRepeat = this.#options.clock.after(REPEAT_MS, () => {
      const finished = repeatedFinished(socket);
      if (finished) this.#options.agent.send(finished);
      this.#repeat(socket);
    });
  }

  /** What cannot be read is dropped: whoever sends it must not end more than himself. */
  #receive(data: Buffer): void {
    // RFC 7983: 20 to 63 are DTLS, 128 to 191 RTP and RTCP. Of the latter we want
    // RTCP alone (RFC 5761, 4): nobody sends media to an avatar.
    const [first = 0, second = 0] = data;
    const isDtls = first >= 20 && first <= 63;
    const isRtcp = first >= 128 && first <= 191 && second >= 192 && second <= 223;
    if (!isDtls && !isRtcp) return;
    if (isDtls) this.#dtlsBytes += data.length;
    if (this.#dtlsBytes > MAX_DTLS_BYTES) {
      this.#options.onClosed("it says too much in DTLS");
      return;
    }
    try {
      this.#incoming.execute(data);
    } catch {}
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
