import assert from "node:assert/strict";
import { test } from "node:test";
import { offerOf } from "../../../test/support/webrtc-offer.ts";
import { RequestError } from "../../http/request-error.ts";
import { readOffer } from "./offer.ts";

function refuses(sdp: string, status: number, why: RegExp): void {
  assert.throws(
    () => readOffer(sdp),
    (error) => error instanceof RequestError && error.status === status && why.test(error.message),
  );
}

test("of Chromium's formats ours is chosen, with its retransmissions", () => {
  const { video, audio, fingerprint, iceUfrag, media } = readOffer(offerOf());
  assert.deepEqual(video, {
    kind: "video",
    mid: "0",
    payloadType: 108,
    parameters: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    retransmissionType: 109,
    feedback: ["nack", "nack pli", "ccm fir", "goog-remb"],
    sendTimeId: 2,
    midId: 4,
  });
  assert.equal(audio?.payloadType, 111);
  assert.equal(audio?.mid, "1");
  assert.match(fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  assert.equal(iceUfrag, "EsAw");
  assert.deepEqual(
    media.map(({ kind }) => kind),
    ["video", "audio"],
  );
});

test("Baseline will do, then Main and High: their decoders know what we send", () => {
  const only = (...types: number[]) => offerOf({ videoTypes: types });
  assert.equal(readOffer(only(102, 112)).video.payloadType, 102);
  assert.equal(readOffer(only(112, 127)).video.payloadType, 127);
  assert.equal(readOffer(only(112)).video.payloadType, 112);
  assert.equal(readOffer(only(112)).video.retransmissionType, null);
});

test("without H.264, or in single NAL unit mode alone, there is nothing to send", () => {
  refuses(offerOf({ videoTypes: [96] }), 406, /no H.264/);
  refuses(offerOf({ videoTypes: [96, 104] }), 406, /packetization-mode=1/);
});

test("sound may be missing, or be none of ours", () => {
  assert.equal(readOffer(offerOf().replace(/m=audio[\s\S]*/, "")).audio, null);
  const pcm = readOffer(offerOf().replaceAll("opus/48000/2", "PCMU/8000"));
  assert.equal(pcm.audio, null);
  assert.deepEqual(pcm.media[1], {
    kind: "refused",
    mid: "1",
    media: "audio",
    protocol: "UDP/TLS/RTP/SAVPF",
    format: "111",
  });
});

test("a second video and a data channel are refused, the rest is served", () => {
  const base = offerOf();
  const video = /m=video[\s\S]*?(?=m=audio)/.exec(base)![0].replace("a=mid:0", "a=mid:2");
  const data =
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:3\r\n";
  const { media } = readOffer(base.replace("BUNDLE 0 1", "BUNDLE 0 1 2 3") + video + data);
  assert.deepEqual(
    media.map(({ kind }) => kind),
    ["video", "audio", "refused", "refused"],
  );
});

test("what cannot be used is refused with what is wrong", () => {
  const sdp = offerOf();
  refuses("", 400, /v=0/);
  refuses("hello", 400, /v=0/);
  refuses("v=0\r\n", 400, /no m= line/);
  refuses(sdp + " ".repeat(70_000), 400, /too long/);
  refuses(sdp.replaceAll("a=fingerprint:sha-256", "a=fingerprint:md5"), 400, /fingerprint/);
  refuses(sdp.replaceAll("a=ice-pwd", "a=ice-nothing"), 400, /ice-ufrag/);
  refuses(sdp.replaceAll("a=setup:actpass", "a=setup:active"), 400, /setup/);
  refuses(sdp.replaceAll("a=mid:1\r\n", ""), 400, /a=mid/);
  refuses(sdp.replace("a=rtcp-mux\r\n", ""), 400, /rtcp-mux/);
  refuses(sdp.replaceAll("a=recvonly", "a=sendonly"), 400, /no video/);
  refuses(sdp.replace("m=video 9", "m=video 0"), 400, /no video/);
  refuses(sdp.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 1"), 400, /BUNDLE/);
  refuses(sdp.replace("m=video 9", "m=vid<eo 9"), 400, /damaged/);
  refuses(sdp + "m=text 9 RTP/AVP 0\r\n".repeat(20), 400, /more than 16/);
});

test("cut and mangled offers are answered or refused, never more", () => {
  const sdp = offerOf();
  for (let n = 0; n < sdp.length; n += 3) {
    for (const mangled of [
      sdp.slice(0, n),
      sdp.slice(0, n) + sdp.slice(n + 1),
      `${sdp.slice(0, n)}:${sdp.slice(n)}`,
    ]) {
      try {
        readOffer(mangled);
      } catch (error) {
        assert.ok(
          error instanceof RequestError && [400, 406].includes(error.status),
          String(error),
        );
      }
    }
  }
});
