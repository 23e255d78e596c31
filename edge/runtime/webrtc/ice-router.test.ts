import assert from "node:assert/strict";
import { test } from "node:test";
import { classes, Message, methods, parseMessage } from "werift";
import { VirtualClock } from "../../../avatar/clock.ts";
import { IceLiteAgent } from "./ice-lite-agent.ts";
import type { IcePath } from "./ice-path.ts";
import { IceRouter } from "./ice-router.ts";

function open() {
  const clock = new VirtualClock();
  const router = new IceRouter();
  const events = { connected: 0, data: [] as string[] };
  const agent = new IceLiteAgent({
    clock,
    remoteUfrag: "theirs",
    onConnected: () => events.connected++,
  });
  agent.onData.subscribe((data) => events.data.push(data.toString("hex")));
  router.add(agent);
  return { clock, router, agent, events };
}

/** A path that keeps what is sent over it. */
function path(port: number): IcePath & { readonly sent: Buffer[] } {
  const sent: Buffer[] = [];
  const send = (data: Uint8Array) => sent.push(Buffer.from(data));
  return { key: `udp:${port}`, address: "192.0.2.7", port, sent, send };
}

interface CheckOptions {
  readonly password?: string;
  readonly userName?: string;
  readonly nominate?: boolean;
  readonly role?: "ICE-CONTROLLING" | "ICE-CONTROLLED";
}

/** A check as a browser makes it. */
function check(agent: IceLiteAgent, options: CheckOptions = {}): Buffer {
  const { password = agent.password, userName = `${agent.ufrag}:theirs`, nominate } = options;
  const message = new Message(methods.BINDING, classes.REQUEST);
  message.setAttribute("USERNAME", userName).setAttribute("PRIORITY", 1);
  message.setAttribute(options.role ?? "ICE-CONTROLLING", 7n);
  if (nominate) message.setAttribute("USE-CANDIDATE", null);
  return message.addMessageIntegrity(Buffer.from(password)).addFingerprint().bytes;
}

const DATA = Buffer.from([22, 254, 253, 0]);

test("who knows the password is answered, with the address he has", () => {
  const { router, agent, events } = open();
  const way = path(5000);
  assert.equal(router.receive(check(agent), way), true);
  const answer = parseMessage(way.sent[0]!, Buffer.from(agent.password))!;
  assert.equal(answer.messageClass, classes.RESPONSE);
  assert.deepEqual(answer.getAttributeValue("XOR-MAPPED-ADDRESS"), ["192.0.2.7", 5000]);
  assert.equal(events.connected, 0);
  router.receive(check(agent, { nominate: true }), way);
  assert.equal(events.connected, 1);
  assert.equal(router.receive(DATA, way), true);
  assert.deepEqual(events.data, ["16fefd00"]);
});

test("nobody else is answered, and his data goes nowhere", () => {
  const { router, agent, events } = open();
  const way = path(5001);
  const unsigned = new Message(methods.BINDING, classes.REQUEST)
    .setAttribute("USERNAME", `${agent.ufrag}:theirs`)
    .setAttribute("USE-CANDIDATE", null).bytes;
  const packets = [
    unsigned,
    check(agent, { password: "guessed", nominate: true }),
    check(agent, { userName: `${agent.ufrag}:others`, nominate: true }),
    check(agent, { userName: "nobody:theirs", nominate: true }),
    Buffer.alloc(0),
    Buffer.from([0, 1, 0, 0]),
    Buffer.concat([check(agent, { nominate: true }), Buffer.alloc(2000)]),
    DATA,
  ];
  for (const packet of packets) assert.equal(router.receive(packet, way), false);
  assert.equal(way.sent.length, 0);
  assert.equal(agent.selected, null);
  assert.deepEqual(events, { connected: 0, data: [] });
});

test("mangled checks are not answered", () => {
  const { router, agent } = open();
  const way = path(5001);
  const good = check(agent, { nominate: true });
  // What comes behind the password's proof does not count (RFC 8489, 14.5): a fingerprint of 8 bytes.
  for (let at = 0; at < good.length - 8; at++) {
    const bad = Buffer.from(good);
    bad[at]! ^= 0x55;
    assert.equal(router.receive(bad, way), false, `byte ${at}`);
    assert.equal(router.receive(good.subarray(0, at), way), false, `${at} bytes`);
  }
  assert.equal(way.sent.length, 0);
});

test("two lite agents are told of their conflict", () => {
  const { router, agent } = open();
  const way = path(5002);
  router.receive(check(agent, { role: "ICE-CONTROLLED", nominate: true }), way);
  const answer = parseMessage(way.sent[0]!)!;
  assert.equal(answer.messageClass, classes.ERROR);
  assert.equal(agent.selected, null);
});

test("a peer that moves takes its stream along", () => {
  const { router, agent, events } = open();
  const [home, street] = [path(5003), path(5004)];
  router.receive(check(agent, { nominate: true }), home);
  router.receive(check(agent), street);
  agent.send(DATA);
  assert.deepEqual(home.sent.at(-1), DATA);
  router.receive(check(agent, { nominate: true }), street);
  agent.send(DATA);
  assert.deepEqual(street.sent.at(-1), DATA);
  assert.equal(events.connected, 1);
});

test("a peer whose connection broke off goes on over another", () => {
  const { router, agent, events } = open();
  const [first, second] = [path(5005), path(5006)];
  router.receive(check(agent, { nominate: true }), first);
  router.lose(first);
  assert.equal(router.receive(DATA, first), false);
  agent.send(DATA);
  router.receive(check(agent, { nominate: true }), second);
  agent.send(DATA);
  assert.deepEqual([first.sent.length, second.sent.length], [1, 2]);
  // The handshake of the first time still holds.
  assert.equal(events.connected, 1);
});

test("paths are bounded, and the one in use stays", () => {
  const { router, agent } = open();
  const first = path(1);
  router.receive(check(agent, { nominate: true }), first);
  for (let port = 2; port < 100; port++) router.receive(check(agent), path(port));
  assert.equal(agent.pathKeys.length, 8);
  assert.equal(router.receive(DATA, first), true);
  assert.equal(router.receive(DATA, path(50)), false);
  assert.equal(router.receive(DATA, path(99)), true);
});

test("an address that another peer had is the new one's", () => {
  const { clock, router, agent } = open();
  const other = new IceLiteAgent({ clock, remoteUfrag: "theirs", onConnected: () => {} });
  router.add(other);
  const way = path(7);
  router.receive(check(agent, { nominate: true }), way);
  router.receive(check(other, { nominate: true }), way);
  const got: Buffer[] = [];
  other.onData.subscribe((data) => got.push(data));
  router.remove(agent);
  assert.equal(router.receive(DATA, way), true);
  assert.equal(got.length, 1);
  router.remove(other);
  assert.equal(router.receive(DATA, way), false);
  assert.equal(router.receive(check(other), way), false);
});

test("silence is counted from the last right check", async () => {
  const { clock, router, agent } = open();
  const way = path(8);
  router.receive(check(agent), way);
  await clock.advanceBy(5000);
  router.receive(check(agent, { password: "guessed" }), way);
  assert.equal(agent.silenceMs, 5000);
  router.receive(check(agent), way);
  assert.equal(agent.silenceMs, 0);
});
