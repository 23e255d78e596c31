import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { classes, Message, methods, parseMessage } from "werift";
import { VirtualClock } from "../../../avatar/clock.ts";
import { silentLogger } from "../../../avatar/logger.ts";
import { SettingsError } from "../../../avatar/settings.ts";
import { IceLiteAgent } from "./ice-lite-agent.ts";
import { IceRouter } from "./ice-router.ts";
import { FrameReader, framed } from "./tcp-frames.ts";
import { listenOnTcp } from "./tcp-listener.ts";
import { listenOnUdp } from "./udp-listener.ts";

async function open(t: TestContext, maxConnections = 10) {
  const router = new IceRouter();
  const agent = new IceLiteAgent({
    clock: new VirtualClock(),
    remoteUfrag: "theirs",
    onConnected: () => {},
  });
  router.add(agent);
  const common = { address: "127.0.0.1", router, logger: silentLogger };
  // As the edge does: a port that UDP has found.
  const udp = await listenOnUdp({ ...common, ports: null });
  t.after(() => udp.close());
  const { port } = udp.candidate;
  const listener = await listenOnTcp({ ...common, port, maxConnections });
  t.after(() => listener.close());
  const dial = async (): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    await new Promise((resolve) => socket.once("connect", resolve));
    return socket;
  };
  return { agent, port, dial, common };
}

function check(agent: IceLiteAgent, password = agent.password): Buffer {
  return new Message(methods.BINDING, classes.REQUEST)
    .setAttribute("USERNAME", `${agent.ufrag}:theirs`)
    .setAttribute("USE-CANDIDATE", null)
    .addMessageIntegrity(Buffer.from(password))
    .addFingerprint().bytes;
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.resume();
    socket.once("close", () => resolve());
  });

test("a check is answered, and data goes both ways until the connection ends", async (t) => {
  const { agent, dial } = await open(t);
  const socket = await dial();
  const reader = new FrameReader(2000);
  const packets: Buffer[] = [];
  const arrived = () => new Promise((resolve) => socket.once("data", resolve));
  socket.on("data", (chunk: Buffer) => packets.push(...reader.read(chunk)!));
  const received: Buffer[] = [];
  agent.onData.subscribe((data) => received.push(data));
  const data = Buffer.from([22, 1, 2, 3]);
  socket.write(Buffer.concat([framed(check(agent)), framed(data)]));
  await arrived();
  assert.equal(parseMessage(packets[0]!)!.messageClass, classes.RESPONSE);
  agent.send(data);
  await arrived();
  assert.deepEqual(packets[1], data);
  assert.deepEqual(received, [data]);
  socket.destroy();
  while (agent.selected !== null) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("who does not know a password is cut off at once", async (t) => {
  const { agent, dial } = await open(t);
  for (const bytes of [framed(check(agent, "guessed")), Buffer.from("GET / HTTP/1.1\r\n\r\n")]) {
    const socket = await dial();
    const end = closed(socket);
    socket.write(bytes);
    await end;
  }
  assert.equal(agent.selected, null);
});

test("connections are bounded", async (t) => {
  const { agent, dial } = await open(t, 1);
  const first = await dial();
  first.write(framed(check(agent)));
  await new Promise((resolve) => first.once("data", resolve));
  await closed(await dial());
});

test("a port that is taken is a matter of settings", async (t) => {
  const { common, port } = await open(t);
  await assert.rejects(listenOnTcp({ ...common, port, maxConnections: 1 }), SettingsError);
});
