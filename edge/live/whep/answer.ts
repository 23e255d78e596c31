import { extensionLines, type Offer, type OfferedMedium } from "./offer.ts";

/** Where packets are taken. */
export interface HostCandidate {
  readonly address: string;
  readonly port: number;
  readonly protocol: "udp" | "tcp";
}

export interface AnswerOptions {
  /** A number that no other session of this edge has. */
  readonly sessionId: string;
  readonly iceUfrag: string;
  readonly icePassword: string;
  /** SHA-256 of our certificate, `AB:CD:...`. */
  readonly fingerprint: string;
  readonly candidates: readonly HostCandidate[];
  /** Names this end in RTCP: the same for sound and picture, which makes receivers synchronise them. */
  readonly cname: string;
  readonly videoSsrc: number;
  readonly retransmissionSsrc: number;
  readonly audioSsrc: number;
}

/** Priorities of RFC 8445, 5.1.2.1: type 126 for hosts. TCP comes after all of UDP (RFC 6544, 4.2). */
const HOST_TYPE = 126;
const LOCAL_UDP = 65_535;
/** Direction preference 4, passive, in the upper 3 bits. */
const LOCAL_TCP = 4 << 13;

/** The SDP answer of an ICE-lite agent that sends what was offered. */
export function writeAnswer(offer: Offer, options: AnswerOptions): string {
  const taken = offer.media.filter(({ kind }) => kind !== "refused");
  const lines = [
    "v=0",
    `o=- ${options.sessionId} 1 IN IP4 0.0.0.0`,
    "s=-",
    "t=0 0",
    "a=ice-lite",
    `a=group:BUNDLE ${taken.map(({ mid }) => mid).join(" ")}`,
    "a=msid-semantic: WMS avatar",
  ];
  let isFirst = true;
  for (const medium of offer.media) {
    if (medium.kind === "refused") {
      lines.push(`m=${medium.media} 0 ${medium.protocol} ${medium.format}`);
      lines.push("c=IN IP4 0.0.0.0", `a=mid:${medium.mid}`, "a=inactive");
      continue;
    }
    lines.push(...mediumLines(medium, options));
    // A bundle's candidates belong to its first m= line.
    if (isFirst) lines.push(...options.candidates.map(candidateLine), "a=end-of-candidates");
    isFirst = false;
  }
  return `${lines.join("\r\n")}\r\n`;
}

function mediumLines(medium: OfferedMedium, options: AnswerOptions): string[] {
  const { kind, mid, payloadType, parameters, feedback, retransmissionType } = medium;
  const types = retransmissionType === null ? [payloadType] : [payloadType, retransmissionType];
  const ssrc = kind === "video" ? options.videoSsrc : options.audioSsrc;
  const lines = [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF ${types.join(" ")}`,
    "c=IN IP4 0.0.0.0",
    `a=mid:${mid}`,
    "a=sendonly",
    `a=ice-ufrag:${options.iceUfrag}`,
    `a=ice-pwd:${options.icePassword}`,
    `a=fingerprint:sha-256 ${options.fingerprint}`,
    // We are the DTLS client: see docs/decisions/021.
    "a=setup:active",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    ...extensionLines(medium),
    `a=rtpmap:${payloadType} ${kind === "video" ? "H264/90000" : "opus/48000/2"}`,
    ...(parameters ? [`a=fmtp:${payloadType} ${parameters}`] : []),
    ...feedback.map((name) => `a=rtcp-fb:${payloadType} ${name}`),
    `a=msid:avatar ${kind}`,
    `a=ssrc:${ssrc} cname:${options.cname}`,
  ];
  if (retransmissionType !== null) {
    const again = options.retransmissionSsrc;
    lines.push(
      `a=rtpmap:${retransmissionType} rtx/90000`,
      `a=fmtp:${retransmissionType} apt=${payloadType}`,
      `a=ssrc-group:FID ${ssrc} ${again}`,
      `a=ssrc:${again} cname:${options.cname}`,
    );
  }
  return lines;
}

function candidateLine({ address, port, protocol }: HostCandidate, n: number): string {
  const local = (protocol === "udp" ? LOCAL_UDP : LOCAL_TCP) - n;
  const priority = HOST_TYPE * 2 ** 24 + local * 2 ** 8 + 255;
  const type = protocol === "udp" ? "" : " tcptype passive";
  return `a=candidate:${n + 1} 1 ${protocol} ${priority} ${address} ${port} typ host${type}`;
}
