import assert from "node:assert/strict";
import { test } from "node:test";
import { offerOf } from "../../../test/support/webrtc-offer.ts";
import { type AnswerOptions, writeAnswer } from "./answer.ts";
import { readOffer } from "./offer.ts";

const OPTIONS: AnswerOptions = {
  sessionId: "7",
  iceUfrag: "ours",
  icePassword: "secret",
  fingerprint: "AA:BB",
  candidates: [
    { address: "192.0.2.1", port: 5000, protocol: "udp" },
    { address: "2001:db8::1", port: 5001, protocol: "udp" },
    { address: "192.0.2.1", port: 5000, protocol: "tcp" },
  ],
  cname: "avatar-1",
  videoSsrc: 1,
  retransmissionSsrc: 2,
  audioSsrc: 3,
};

test("every m= line is answered in its place; one that is refused has port 0", () => {
  const data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
  const answer = writeAnswer(readOffer(offerOf() + data), OPTIONS);
  assert.deepEqual(answer.match(/^m=.*$/gm), [
    "m=video 9 UDP/TLS/RTP/SAVPF 108 109",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
  ]);
  assert.match(answer, /^a=group:BUNDLE 0 1\r$/m);
  assert.match(answer, /^a=ice-lite\r$/m);
  assert.ok(answer.endsWith("\r\n"));
});

test("sound and picture are of one stream and one source", () => {
  const answer = writeAnswer(readOffer(offerOf()), OPTIONS);
  assert.deepEqual(answer.match(/^a=ssrc.*$/gm), [
    "a=ssrc:1 cname:avatar-1",
    "a=ssrc-group:FID 1 2",
    "a=ssrc:2 cname:avatar-1",
    "a=ssrc:3 cname:avatar-1",
  ]);
  assert.deepEqual(answer.match(/^a=msid:.*$/gm), ["a=msid:avatar video", "a=msid:avatar audio"]);
  assert.match(answer, /^a=fmtp:109 apt=108\r$/m);
  assert.ok(!answer.includes("transport-cc"), "what is not read is not asked for");
});

test("candidates are told once, UDP before TCP", () => {
  const answer = writeAnswer(readOffer(offerOf()), OPTIONS);
  const lines = answer.match(/^a=candidate:.*$/gm)!;
  assert.equal(lines.length, 3);
  const priorities = lines.map((line) => Number(line.split(" ")[3]));
  assert.deepEqual(
    priorities,
    priorities.toSorted((a, b) => b - a),
  );
  assert.ok(priorities.every((priority) => priority < 2 ** 31));
  assert.match(lines[2]!, /^a=candidate:3 1 tcp \d+ 192\.0\.2\.1 5000 typ host tcptype passive$/);
});
