/** Formats as Chromium offers them: payload type, and its lines. */
const FORMATS: Readonly<Record<number, readonly string[]>> = {
  96: ["rtpmap:96 VP8/90000", "rtcp-fb:96 nack"],
  102: h264(102, 1, "42001f"),
  104: h264(104, 0, "42e01f"),
  108: h264(108, 1, "42e01f"),
  109: ["rtpmap:109 rtx/90000", "fmtp:109 apt=108"],
  112: h264(112, 1, "64001f"),
  127: h264(127, 1, "4d001f"),
};

function h264(type: number, mode: number, profile: string): string[] {
  return [
    `rtpmap:${type} H264/90000`,
    ...["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"].map(
      (name) => `rtcp-fb:${type} ${name}`,
    ),
    `fmtp:${type} level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=${profile}`,
  ];
}

const COMMON = [
  "c=IN IP4 0.0.0.0",
  "a=rtcp:9 IN IP4 0.0.0.0",
  "a=candidate:1 1 udp 2113937151 0b6c0e2a-cb1e-4d0b-a2d2-3d8f6b4c6d5e.local 50137 typ host",
  "a=ice-ufrag:EsAw",
  "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
  `a=fingerprint:sha-256 ${Array(32).fill("aB").join(":")}`,
  "a=setup:actpass",
  "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
  "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
  "a=recvonly",
  "a=rtcp-mux",
];

export interface OfferOptions {
  /** Default: all that Chromium has. */
  readonly videoTypes?: readonly number[];
}

/** An offer to receive video and audio, as Chromium writes it. */
export function offerOf({ videoTypes = [96, 102, 104, 108, 109, 112, 127] }: OfferOptions = {}) {
  const lines = [
    "v=0",
    "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0 1",
    "a=msid-semantic: WMS",
    `m=video 9 UDP/TLS/RTP/SAVPF ${videoTypes.join(" ")}`,
    ...COMMON,
    "a=mid:0",
    ...videoTypes.flatMap((type) => FORMATS[type]!.map((line) => `a=${line}`)),
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    ...COMMON,
    "a=mid:1",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
  ];
  return `${lines.join("\r\n")}\r\n`;
}
