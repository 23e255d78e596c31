import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { RTCPeerConnection, RTCRtpCodecParameters, type RtpPacket, useAbsSendTime } from "werift";
import { VirtualClock } from "../../../avatar/clock.ts";
import { silentLogger } from "../../../avatar/logger.ts";
import { SettingsError } from "../../../avatar/settings.ts";
import { depacketise } from "../../../test/support/h264-depacketiser.ts";
import { SyntheticSession, stampedTrack } from "../../../test/support/synthetic-session.ts";
import { offerOf } from "../../../test/support/webrtc-offer.ts";
import { RequestError } from "../../http/request-error.ts";
import { webrtcSchema } from "../../live/webrtc-settings.ts";
import { createWebRtcPeers, type WebRtcPeersOptions } from "./webrtc-peers.ts";

async function open(
  t: TestContext,
  settings: object = {},
  options: Omit<WebRtcPeersOptions, "settings"> = {},
) {
  const parsed = webrtcSchema.parse({ addresses: ["127.0.0.1"], ...settings });
  const peers = await createWebRtcPeers({ settings: parsed, ...options }, silentLogger);
  t.after(() => peers.stop());
  return peers;
}

const attach = () => {
  throw new Error("nobody connects here");
};
const refused = (status: number) => (error: unknown) =>
  error instanceof RequestError && error.status === status;

/** Somebody who watches: werift at the other end. */
async function openViewer(t: TestContext) {
  const viewer = new RTCPeerConnection({
    // It would ask a STUN server of its own choice; nothing listens here.
    iceServers: [{ urls: "stun:127.0.0.1:9" }],
    bundlePolicy: "max-bundle",
    iceStunGatherTimeout: 0.05,
    iceAdditionalHostAddresses: ["127.0.0.1"],
    headerExtensions: { video: [useAbsSendTime()], audio: [] },
    codecs: {
      video: [
        new RTCRtpCodecParameters({
          mimeType: "video/H264",
          clockRate: 90_000,
          payloadType: 96,
          parameters: "packetization-mode=1;profile-level-id=42e01f",
          rtcpFeedback: [{ type: "nack" }, { type: "nack", parameter: "pli" }],
        }),
      ],
      audio: [
        new RTCRtpCodecParameters({
          mimeType: "audio/opus",
          clockRate: 48_000,
          channels: 2,
          payloadType: 111,
        }),
      ],
    },
  });
  t.after(() => viewer.close());
  const packets = { video: [] as RtpPacket[], audio: [] as RtpPacket[] };
  viewer.onTrack.subscribe((track) => {
    const kind = track.kind === "video" ? "video" : "audio";
    track.onReceiveRtp.subscribe((packet) => packets[kind].push(packet));
  });
  const video = viewer.addTransceiver("video", { direction: "recvonly" });
  viewer.addTransceiver("audio", { direction: "recvonly" });
  await viewer.setLocalDescription(await viewer.createOffer());
  return { viewer, video, packets };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const latest = performance.now() + 10_000;
  while (!isSo()) {
    assert.ok(performance.now() < latest, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a viewer gets pictures and sound, asks for a key frame, and is ended", async (t) => {
  const peers = await open(t);
  const session = new SyntheticSession(await stampedTrack(50));
  t.after(() => session.stop());
  const { viewer, video, packets } = await openViewer(t);
  const { id, answer } = await peers.accept(viewer.localDescription!.sdp, session.attach);
  await viewer.setRemoteDescription({ type: "answer", sdp: answer });
  await until("50 packets of each", () => packets.video.length > 50 && packets.audio.length > 50);
  assert.equal(peers.stats()[0]!.state, "connected");
  assert.equal(session.viewers, 1);

  // Whole pictures, in order, the first of them a key picture.
  const pictures = [...Map.groupBy(packets.video, ({ header }) => header.timestamp).values()];
  for (const [n, picture] of pictures.slice(0, -1).entries()) {
    assert.deepEqual(
      picture.map(({ header }) => header.marker),
      picture.map((_, i) => i === picture.length - 1),
    );
    const types = depacketise(picture.map(({ payload }) => payload)).map((nal) => nal[0]! & 31);
    if (n === 0) assert.deepEqual(types.slice(0, 3), [7, 8, 5]);
    assert.ok(types.includes(1) !== types.includes(5));
  }
  assert.ok(
    packets.video.every(({ header }) => header.extensions.length > 0),
    "no send times",
  );
  const ticks = packets.audio.map(({ header }) => header.timestamp);
  assert.ok(ticks.slice(1).every((tick, n) => (tick - ticks[n]!) >>> 0 === 960));

  const { keyRequests } = session;
  const ssrc = packets.video[0]!.header.ssrc;
  await video.receiver.sendRtcpPLI(ssrc);
  await until("a key frame is asked for", () => session.keyRequests > keyRequests);

  assert.equal(await peers.close(id), true);
  assert.equal(await peers.close(id), false);
  assert.equal(session.viewers, 0);
  assert.equal(peers.count, 0);
  // It is told, and need not find out.
  await until("the viewer knows", () => viewer.dtlsTransports[0]!.state === "closed");
});

test("a session that ends takes its viewers along", async (t) => {
  const peers = await open(t);
  const session = new SyntheticSession(await stampedTrack(10));
  t.after(() => session.stop());
  const { viewer, packets } = await openViewer(t);
  const { answer } = await peers.accept(viewer.localDescription!.sdp, session.attach);
  await viewer.setRemoteDescription({ type: "answer", sdp: answer });
  await until("a packet", () => packets.video.length > 0);
  session.stop();
  assert.equal(peers.count, 0);
});

test("whoever has not the certificate of the offer is not sent to", async (t) => {
  const peers = await open(t);
  const session = new SyntheticSession(await stampedTrack(10));
  t.after(() => session.stop());
  const { viewer } = await openViewer(t);
  const sdp = viewer.localDescription!.sdp.replace(
    /a=fingerprint:sha-256 .*/g,
    `a=fingerprint:sha-256 ${Array(32).fill("AB").join(":")}`,
  );
  const { answer } = await peers.accept(sdp, session.attach);
  await viewer.setRemoteDescription({ type: "answer", sdp: answer });
  await until("it is refused", () => peers.count === 0);
  assert.equal(session.viewers, 0);
});

test("there are no more peers than allowed, and bad offers cost no place", async (t) => {
  const peers = await open(t, { max_peers: 2 });
  await assert.rejects(peers.accept("v=1", attach), refused(400));
  await assert.rejects(peers.accept(offerOf({ videoTypes: [96] }), attach), refused(406));
  const { id } = await peers.accept(offerOf(), attach);
  await peers.accept(offerOf(), attach);
  await assert.rejects(
    peers.accept(offerOf(), attach),
    (error) => error instanceof RequestError && error.status === 429 && error.retryAfterS === 5,
  );
  await peers.close(id);
  await peers.accept(offerOf(), attach);
  await peers.stop();
  assert.equal(peers.count, 0);
  await assert.rejects(peers.accept(offerOf(), attach), refused(429));
});

test("who does not connect within 15 seconds is forgotten", async (t) => {
  const clock = new VirtualClock();
  const peers = await open(t, {}, { clock });
  await peers.accept(offerOf(), attach);
  await clock.advanceBy(14_999);
  assert.equal(peers.count, 1);
  await clock.advanceBy(1);
  assert.equal(peers.count, 0);
});

test("who is not heard of for 30 seconds is forgotten", async (t) => {
  const clock = new VirtualClock();
  const peers = await open(t, {}, { clock });
  const session = new SyntheticSession(await stampedTrack(10));
  t.after(() => session.stop());
  const { viewer } = await openViewer(t);
  const { answer } = await peers.accept(viewer.localDescription!.sdp, session.attach);
  await viewer.setRemoteDescription({ type: "answer", sdp: answer });
  await until("it is connected", () => peers.stats()[0]?.state === "connected");
  await viewer.close();
  await clock.advanceBy(29_000);
  assert.equal(peers.count, 1);
  await clock.advanceBy(3000);
  assert.equal(peers.count, 0);
  assert.equal(session.viewers, 0);
});

test("ports that are taken are a matter of settings", async (t) => {
  const first = await open(t, { udp_ports: { min: 20_000, max: 60_000 } });
  const sdp = (await first.accept(offerOf(), attach)).answer;
  const port = Number(/ 127\.0\.0\.1 (\d+) typ host/.exec(sdp)![1]);
  assert.ok(port >= 20_000);
  await assert.rejects(open(t, { udp_ports: { min: port, max: port } }), SettingsError);
});
