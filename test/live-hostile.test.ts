import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { WebSocket as NodeSocket } from "ws";
import { main } from "../cli/main.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { LiveClient } from "./support/live-client.ts";
import { temporaryFolder, writeTinyAvatar } from "./support/tiny-avatar.ts";
import { offerOf } from "./support/webrtc-offer.ts";

/** What clients of live sessions do that no client should; the sessions of others do not notice. */

const LIMIT_MS = 15_000;
const ends: (() => Promise<void>)[] = [];
let edge: TestEdge;

before(async () => {
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
  const imported = await folder();
  const root = await folder();
  await writeTinyAvatar(imported, "ada");
  const publish = ["publish", "ada", "--to", root, "--root", imported, "--json"];
  assert.equal(await main([...publish, "--formats", "jpeg,h264"]), 0);
  const config = {
    core: { url: "http://127.0.0.1:9" },
    live: { max_speech_ahead_s: 5 },
    webrtc: {},
  };
  edge = await RUNTIMES.node({ root, config });
});
after(async () => {
  await edge?.stop();
  for (const end of ends) await end();
});

async function open() {
  const response = await fetch(`${edge.url}/v1/avatars/ada/sessions`, {
    method: "POST",
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()) as {
    id: string;
    token: string;
    speakerToken: string;
    urls: { socket: string; whep: string };
  };
}

const OFFER = { video: ["jpeg"], audio: ["pcm"] };

test("control messages out of their order change nothing, or are named", async () => {
  const session = await open();
  const client = await LiveClient.join(edge.url, session, session.token, OFFER);
  // Nothing is said: nothing ends, and nothing is cut short but the epoch grows.
  client.send({ type: "speech_end" });
  client.send({ type: "speech_end", epoch: 99 });
  for (let n = 0; n < 3; n++) client.send({ type: "interrupt" });
  await client.told("interrupted", ({ epoch }) => epoch === 3);
  // What will be sent has not been, and what was acknowledged stays so.
  client.send({ type: "ack", sequence: 4_000_000_000 });
  client.send({ type: "ack", sequence: 1 });
  client.send({ type: "bitrate", kilobits: null });
  client.send({ type: "key_frame" });
  assert.equal(client.all("error").length, 0, JSON.stringify(client.all("error")));
  client.send({ type: "join", protocol: 1, token: session.token, ...OFFER });
  const { code } = await client.told("error");
  assert.equal(code, "bad_message");
  const { length } = client.pictures();
  await client.until("pictures", () => client.pictures()[length + 10] ?? null);
  assert.equal(client.all("playback_finished").length, 0);
  await client.close();
});

test("two join with one token at the same time: one of them stays", async () => {
  const session = await open();
  const both = await Promise.all([0, 1].map(() => LiveClient.open(edge.url, session.urls.socket)));
  for (const each of both) each.send({ type: "join", protocol: 1, token: session.token, ...OFFER });
  const [first, second] = both as [LiveClient, LiveClient];
  const lost = await Promise.race([
    first.ended().then(() => first),
    second.ended().then(() => second),
  ]);
  assert.equal(lost.closed?.code, 4409);
  const other = lost === first ? second : first;
  const { length } = other.pictures();
  await other.until("pictures", () => other.pictures()[length + 10] ?? null);
  await other.close();
});

test("a speaker that is too fast for ever is refused, and the session goes on", async () => {
  const session = await open();
  const viewer = await LiveClient.join(edge.url, session, session.token, OFFER);
  const fast = await LiveClient.join(edge.url, session, session.speakerToken);
  const minute = new Int16Array(60 * 16_000).fill(1);
  fast.say(minute);
  const refused = await fast.told("error");
  assert.equal(refused.code, "too_much_speech");
  for (let n = 0; n < 5; n++) fast.say(minute);
  const { length } = viewer.pictures();
  await viewer.until("pictures", () => viewer.pictures()[length + 10] ?? null);
  fast.send({ type: "interrupt" });
  await fast.told("interrupted", ({ epoch }) => epoch === 1);
  await fast.close();
  await viewer.close();
});

test("a client that reads nothing is owed no more than a bound, and the others see all", async () => {
  const session = await open();
  const more = await fetch(`${edge.url}/v1/sessions/${session.id}/tokens`, {
    method: "POST",
    body: JSON.stringify({ role: "viewer" }),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const { token } = (await more.json()) as { token: string };
  const deaf = new NodeSocket(edge.url.replace("http", "ws") + session.urls.socket);
  await once(deaf, "open");
  deaf.send(JSON.stringify({ type: "join", protocol: 1, token: session.token, ...OFFER }));
  await once(deaf, "message");
  let got = 0;
  deaf.on("message", (data: Buffer) => {
    got += data.length;
  });
  deaf.pause();
  const viewer = await LiveClient.join(edge.url, session, token, OFFER);
  await viewer.until("three seconds", () => viewer.pictures()[74] ?? null);
  const sent = viewer.pictures().reduce((sum, { body }) => sum + body.length, 0);
  // It asks for everything there is, too.
  for (let n = 0; n < 8; n++) deaf.send(JSON.stringify({ type: "key_frame" }));
  deaf.resume();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(got < sent / 2, `${got} bytes had piled up, of ${sent}`);
  deaf.terminate();
  const { length } = viewer.pictures();
  await viewer.until("pictures", () => viewer.pictures()[length + 10] ?? null);
  await viewer.close();
});

test("candidates that point inside the network are sent nothing", async (t) => {
  const inside = createSocket("udp4");
  t.after(() => inside.close());
  await new Promise<void>((resolve) => inside.bind(0, "127.0.0.1", resolve));
  let packets = 0;
  inside.on("message", () => packets++);
  const { port } = inside.address();
  const lines = ["127.0.0.1", "10.0.0.1", "169.254.169.254"]
    .map((address, n) => `a=candidate:${n + 5} 1 udp 2113937151 ${address} ${port} typ host`)
    .join("\r\n");
  const offer = offerOf().replace("a=ice-ufrag", `${lines}\r\na=ice-ufrag`);
  const session = await open();
  const authorization = `Bearer ${session.token}`;
  const send = (method: string, url: string, type: string, body: string) =>
    fetch(edge.url + url, {
      method,
      headers: { authorization, "content-type": type },
      body,
      signal: AbortSignal.timeout(LIMIT_MS),
    });
  const response = await send("POST", session.urls.whep, "application/sdp", offer);
  assert.equal(response.status, 201, await response.clone().text());
  await response.arrayBuffer();
  const location = response.headers.get("location") ?? "";
  const trickled = await send("PATCH", location, "application/trickle-ice-sdpfrag", `${lines}\r\n`);
  assert.equal(trickled.status, 204);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(packets, 0);
  await fetch(edge.url + location, { method: "DELETE", headers: { authorization } });
});
