import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { classes, Message, methods } from "werift";
import { silentLogger } from "../avatar/logger.ts";
import { webrtcSchema } from "../edge/live/webrtc-settings.ts";
import { createWebRtcPeers } from "../edge/runtime/webrtc/webrtc-peers.ts";
import { SeededRandom } from "./fuzz/random.ts";
import { offerOf } from "./support/webrtc-offer.ts";

const PACKETS = 4000;

/** Records that begin like DTLS, STUN, RTP and RTCP, and go on as they like. */
function randomPacket(random: SeededRandom): Buffer {
  const packet = Buffer.alloc(1 + random.below(200));
  for (let n = 0; n < packet.length; n++) packet[n] = random.below(256);
  packet[0] = random.pick([0, 1, 20, 21, 22, 22, 22, 23, 128, 144, 191, 255]);
  if (packet.length < 26 || packet[0] !== 22) return packet;
  // A handshake record whose lengths are sometimes right.
  packet.set([254, 253, 0, random.below(2)], 1);
  packet.writeUInt16BE(random.below(4) ? packet.length - 13 : random.below(300), 11);
  packet[13] = random.pick([1, 2, 3, 11, 12, 13, 14, 15, 16, 20, 99]);
  const body = packet.length - 25;
  packet.writeUIntBE(random.below(3) ? body : random.below(70_000), 14, 3);
  packet.writeUIntBE(random.below(3) ? 0 : random.below(70_000), 19, 3);
  packet.writeUIntBE(random.below(3) ? body : random.below(70_000), 22, 3);
  return packet;
}

test("what a hostile peer sends ends nobody but himself", async (t) => {
  const failures: unknown[] = [];
  const note = (error: unknown) => failures.push(error);
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
  t.after(() => {
    process.off("uncaughtException", note);
    process.off("unhandledRejection", note);
  });
  const settings = webrtcSchema.parse({ addresses: ["127.0.0.1"] });
  const peers = await createWebRtcPeers({ settings }, silentLogger);
  t.after(() => peers.stop());
  const attach = () => {
    throw new Error("a hostile peer was attached");
  };
  const client = createSocket("udp4");
  t.after(() => client.close());
  await new Promise<void>((resolve) => client.bind(0, "127.0.0.1", resolve));
  const random = new SeededRandom(11);
  let accepted = 0;
  const enter = async () => {
    const { answer } = await peers.accept(offerOf(), attach);
    accepted++;
    const [, ufrag] = /a=ice-ufrag:(\S+)/.exec(answer)!;
    const [, password] = /a=ice-pwd:(\S+)/.exec(answer)!;
    const port = Number(/ (\d+) typ host/.exec(answer)![1]);
    const check = new Message(methods.BINDING, classes.REQUEST)
      .setAttribute("USERNAME", `${ufrag}:EsAw`)
      .setAttribute("USE-CANDIDATE", null)
      .addMessageIntegrity(Buffer.from(password!))
      .addFingerprint();
    client.send(check.bytes, port, "127.0.0.1");
    return port;
  };
  let port = await enter();
  for (let n = 0; n < PACKETS; n++) {
    // Who has said too much is gone: he comes again.
    if (peers.count === 0) port = await enter();
    client.send(randomPacket(random), port, "127.0.0.1");
    if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.deepEqual(failures, []);
  t.diagnostic(`${accepted} peers`);
  // Others are still served.
  await peers.accept(offerOf(), attach);
});
