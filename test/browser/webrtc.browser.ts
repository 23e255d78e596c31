import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { getRequestListener } from "@hono/node-server";
import type { Browser } from "playwright-core";
import { silentLogger } from "../../avatar/logger.ts";
import { problemResponse, toProblem } from "../../edge/http/problem.ts";
import { webrtcSchema } from "../../edge/live/webrtc-settings.ts";
import { answerOffer, endPeer } from "../../edge/live/whep/whep.ts";
import { createWebRtcPeers } from "../../edge/runtime/webrtc/webrtc-peers.ts";
import { SeededRandom } from "../fuzz/random.ts";
import { type LossyUdp, startLossyUdp } from "../support/lossy-udp.ts";
import { SyntheticSession, stampedTrack } from "../support/synthetic-session.ts";
import { startChromium } from "./chromium.ts";
import { inboundStats, type ShownFrame, takeShown, watch } from "./webrtc-page.ts";

const POSITIONS = 100;
const FRAME_TICKS = 3600;
/** Share of packets, from the first check on. */
const LOSS = 0.1;

const track = stampedTrack(POSITIONS);

/** An edge that serves one synthetic session, and a browser. */
async function start(t: TestContext, way: "udp" | "lossy udp" | "tcp") {
  const settings = webrtcSchema.parse({ addresses: ["127.0.0.1"], ice_tcp: way === "tcp" });
  const peers = await createWebRtcPeers({ settings }, silentLogger);
  t.after(() => peers.stop());
  const session = new SyntheticSession(await track);
  t.after(() => session.stop());
  let relay: LossyUdp | null = null;
  t.after(() => relay?.close());
  const options = { peers, iceServers: { stun: [], turn: null }, unixMs: Date.now };
  const serve = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (request.method === "DELETE") return endPeer(options, pathname.slice("/whep/".length));
    if (request.method !== "POST") {
      return new Response("<!doctype html><title>WHEP</title>", {
        headers: { "content-type": "text/html" },
      });
    }
    const answer = await answerOffer(options, request, session.attach, (id) => `/whep/${id}`);
    const sdp = await answer.text();
    const port = Number(/ 127\.0\.0\.1 (\d+) typ host/.exec(sdp)?.[1]);
    if (way === "lossy udp" && !relay) {
      relay = await startLossyUdp(port, new SeededRandom(7));
      relay.loss = LOSS;
    }
    let body = relay ? sdp.replace(` ${port} typ`, ` ${relay.port} typ`) : sdp;
    if (way === "tcp") body = sdp.replace(/a=candidate:\d+ 1 udp .*\r\n/, "");
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
  const server = createServer(
    getRequestListener((request) =>
      serve(request).catch((error) => problemResponse(toProblem(error, "test"))),
    ),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const browser: Browser = await startChromium("");
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return { peers, session, page, relay: () => relay! };
}

/** Each frame is the one that its time stamp says. */
function assertRight(shown: readonly ShownFrame[]): void {
  const first = shown[0]!;
  const wrong = shown.filter(({ stamp, rtpTimestamp }) => {
    const frames = ((rtpTimestamp - first.rtpTimestamp) >>> 0) / FRAME_TICKS;
    return stamp !== (first.stamp! + frames) % POSITIONS;
  });
  assert.deepEqual(wrong, [], `of ${shown.length} pictures after ${first.stamp} some are others`);
}

test("a page watches by WHEP", async (t) => {
  const { peers, session, page } = await start(t, "udp");
  const firstMs = await watch(page);
  assert.equal(session.viewers, 1);
  await page.waitForTimeout(5000);
  const shown = await takeShown(page);
  const video = await inboundStats(page, "video");
  const audio = await inboundStats(page, "audio");
  const apartMs = video.estimatedPlayoutTimestamp - audio.estimatedPlayoutTimestamp;
  t.diagnostic(`first frame after ${Math.round(firstMs)} ms, ${shown.length} frames shown`);
  t.diagnostic(`picture and sound ${apartMs} ms apart`);
  t.diagnostic(JSON.stringify(peers.stats()));
  assert.ok(shown.length > 50, `${shown.length} frames were shown`);
  assertRight(shown);
  assert.equal(video.freezeCount, 0);
  assert.equal(video.packetsLost, 0);
  assert.ok(audio.totalAudioEnergy > 0.05, `the sound has an energy of ${audio.totalAudioEnergy}`);

  session.isSpeaking = false;
  await page.waitForTimeout(1000);
  const silent = await inboundStats(page, "audio");
  await page.waitForTimeout(1000);
  const later = await inboundStats(page, "audio");
  assert.equal(later.packetsReceived, silent.packetsReceived, "something is sent in silence");

  const location = await page.evaluate(() => globalThis.watching.location);
  const ended = await page.evaluate(
    (location) => fetch(location, { method: "DELETE" }).then(({ status }) => status),
    location,
  );
  assert.equal(ended, 200);
  assert.equal(peers.count, 0);
  assert.equal(session.viewers, 0);
  // DTLS says goodbye: the page need not wait until ICE finds nobody there.
  await page.waitForFunction(
    () => globalThis.watching.peer.getReceivers()[0]!.transport!.state === "closed",
    undefined,
    { timeout: 2000 },
  );
});

test("with a tenth of the packets lost the picture goes on", async (t) => {
  const { peers, session, page, relay } = await start(t, "lossy udp");
  await watch(page);
  await page.waitForTimeout(6000);
  const lossy = await inboundStats(page, "video");
  const shown = await takeShown(page);
  t.diagnostic(`${shown.length} frames shown; ${JSON.stringify(relay().counts)}`);
  t.diagnostic(JSON.stringify(peers.stats()));
  assert.ok(lossy.retransmittedPacketsReceived > 0, "nothing was sent again");
  assert.ok(shown.length > 75, `${shown.length} frames were shown`);
  assertRight(shown);

  // Longer than what retransmissions can mend.
  const asked = session.keyRequests;
  relay().loss = 1;
  await page.waitForTimeout(1500);
  relay().loss = 0;
  await takeShown(page);
  await page.waitForTimeout(3000);
  const mended = await takeShown(page);
  const after = await inboundStats(page, "video");
  t.diagnostic(`${mended.length} frames shown after a cut, ${after.pliCount} PLI`);
  assert.ok(session.keyRequests > asked, "no key frame was asked for");
  assert.ok(after.keyFramesDecoded > lossy.keyFramesDecoded);
  assert.ok(mended.length > 20, `${mended.length} frames were shown`);
  assertRight(mended.slice(-20));
});

test("what cannot be sent again is answered with a key frame", async (t) => {
  const { session, page } = await start(t, "lossy udp");
  await watch(page, { nack: false });
  const before = await inboundStats(page, "video");
  const asked = session.keyRequests;
  let now = before;
  for (let n = 0; n < 30; n++) {
    await page.waitForTimeout(500);
    now = await inboundStats(page, "video");
    const isAnswered = now.keyFramesDecoded > before.keyFramesDecoded;
    if (now.pliCount > before.pliCount && session.keyRequests > asked && isAnswered) break;
  }
  const shown = await takeShown(page);
  const { pliCount, nackCount, keyFramesDecoded } = now;
  t.diagnostic(`${shown.length} frames shown, ${pliCount} PLI, ${keyFramesDecoded} key frames`);
  assert.equal(nackCount, 0);
  assert.ok(pliCount > before.pliCount, "no picture was missed");
  assert.ok(session.keyRequests > asked, "no key frame was asked for");
  assert.ok(keyFramesDecoded > before.keyFramesDecoded, "no key frame came");
  assertRight(shown);
});

test("where UDP is not let through a page watches over TCP", async (t) => {
  const { page } = await start(t, "tcp");
  const firstMs = await watch(page);
  await page.waitForTimeout(3000);
  const shown = await takeShown(page);
  t.diagnostic(`first frame after ${Math.round(firstMs)} ms, ${shown.length} frames shown`);
  assert.ok(shown.length > 25, `${shown.length} frames were shown`);
  assertRight(shown);
});
