import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { main } from "../cli/main.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { temporaryFolder, writeTinyAvatar } from "./support/tiny-avatar.ts";
import { offerOf } from "./support/webrtc-offer.ts";

/** WebRTC's signalling at a real edge; whoever offers here never connects. */

const LIMIT_MS = 20_000;
const ends: (() => Promise<void>)[] = [];
let edge: TestEdge;
let without: TestEdge;

before(async () => {
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
  const imported = await folder();
  const root = await folder();
  await writeTinyAvatar(imported, "ada");
  const publish = ["publish", "ada", "--to", root, "--root", imported, "--json"];
  assert.equal(await main([...publish, "--formats", "h264"]), 0);
  await writeTinyAvatar(root, "plain");
  const core = { url: "http://127.0.0.1:9" };
  const stun = ["stun:stun.example.com:3478"];
  edge = await RUNTIMES.node({ root, config: { core, webrtc: { stun, max_peers: 2 } } });
  without = await RUNTIMES.node({ root, config: { core } });
});
after(async () => {
  await edge?.stop();
  await without?.stop();
  for (const end of ends) await end();
});

const send = (method: string, url: string, token: string | null, body?: string, type?: string) =>
  fetch(url, {
    method,
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      "content-type": type ?? "application/sdp",
    },
    ...(body !== undefined && { body }),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
const open = async (avatar = "ada", at = edge) => {
  const path = `${at.url}/v1/avatars/${avatar}/sessions`;
  const response = await fetch(path, { method: "POST", signal: AbortSignal.timeout(LIMIT_MS) });
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()) as {
    id: string;
    token: string;
    speakerToken: string;
    urls: { socket: string; whep?: string };
  };
};
const refused = async (response: Response, status: number, detail: RegExp) => {
  const problem = (await response.json()) as { detail: string };
  assert.equal(response.status, status, problem.detail);
  assert.match(problem.detail, detail);
};

test("an offer is answered, and its peer ended by the session's token alone", async () => {
  const session = await open();
  const url = edge.url + session.urls.whep;
  const response = await send("POST", url, session.token, offerOf());
  assert.equal(response.status, 201, await response.clone().text());
  assert.equal(response.headers.get("content-type"), "application/sdp");
  assert.match(response.headers.get("link") ?? "", /stun:stun\.example\.com/);
  assert.match(response.headers.get("access-control-expose-headers") ?? "", /location/);
  const answer = await response.text();
  assert.match(answer, /a=ice-lite/);
  // An edge on loopback is not to be reached from elsewhere.
  const candidates = answer.match(/a=candidate:.*/g) ?? [];
  assert.ok(candidates.length > 0);
  for (const candidate of candidates) assert.match(candidate, / 127\.0\.0\.1 \d+ typ host/);

  const location = edge.url + (response.headers.get("location") ?? "");
  const trickle = "application/trickle-ice-sdpfrag";
  const fragment = "a=ice-ufrag:EsAw\r\n";
  assert.equal((await send("PATCH", location, session.token, fragment, trickle)).status, 204);
  const other = await open();
  await refused(await send("DELETE", location, other.token), 401, /another session/);
  assert.equal((await send("DELETE", location, session.token)).status, 200);
  await refused(await send("DELETE", location, session.token), 404, /no such peer/);
});

test("who may not watch, and what is no offer", async () => {
  const session = await open();
  const url = edge.url + session.urls.whep;
  await refused(await send("POST", url, null, offerOf()), 401, /join token/);
  await refused(await send("POST", url, "forged", offerOf()), 401, /join token is refused/);
  await refused(await send("POST", url, session.speakerToken, offerOf()), 403, /does not watch/);
  await refused(await send("POST", `${url}?token=x`, session.token, offerOf()), 400, /URL/);
  await refused(await send("POST", url, session.token, "v=1\r\nnothing"), 400, /./);
  await refused(await send("POST", url, session.token, offerOf(), "text/plain"), 415, /sdp/);
  const vp8 = offerOf({ videoTypes: [96] });
  await refused(await send("POST", url, session.token, vp8), 406, /H\.264/);
  await refused(await send("POST", url, session.token, "x".repeat(1 << 20)), 413, /larger/);
  const plain = await open("plain");
  const there = edge.url + plain.urls.whep;
  await refused(await send("POST", there, plain.token, offerOf()), 406, /has no video/);
});

test("more peers than there may be are told when to come back", async () => {
  const session = await open();
  const url = edge.url + session.urls.whep;
  const locations: string[] = [];
  for (let n = 0; n < 2; n++) {
    const response = await send("POST", url, session.token, offerOf());
    assert.equal(response.status, 201);
    locations.push(response.headers.get("location") ?? "");
  }
  const third = await send("POST", url, session.token, offerOf());
  assert.ok(Number(third.headers.get("retry-after")) > 0);
  await refused(third, 429, /no more viewers/);
  const metrics = await (await fetch(`${edge.url}/metrics`)).text();
  assert.match(metrics, /^mouthpiece_edge_webrtc_peers 2$/m);
  for (const path of locations) {
    assert.equal((await send("DELETE", edge.url + path, session.token)).status, 200);
  }
});

test("an edge without WebRTC says what to do instead", async () => {
  const session = await open("ada", without);
  assert.equal(session.urls.whep, undefined);
  const url = `${without.url}/v1/sessions/${session.id}/whep`;
  await refused(await send("POST", url, session.token, offerOf()), 404, /WebSocket/);
});
