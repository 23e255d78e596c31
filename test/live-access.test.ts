import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { after, before, test } from "node:test";
import { WebSocket as NodeSocket } from "ws";
import { createApiKey, hashOfKey } from "../edge/access/api-key.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { LiveClient } from "./support/live-client.ts";
import { temporaryFolder, tone, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** Whose sessions are whose, at two edges that share their token keys; no core answers them. */

const LIMIT_MS = 20_000;
const KEYS = { acme: createApiKey(), globex: createApiKey() };
const OPERATOR_KEY = createApiKey();
const SIGNING = { kty: "oct", alg: "HS256", k: "k".repeat(43), kid: "one" };
const PAGE = "https://www.acme.example";
const ACCESS = {
  tenants: [
    { id: "acme", keys: [hashOfKey(KEYS.acme)], origins: [PAGE], sessions: 2 },
    { id: "globex", keys: [hashOfKey(KEYS.globex)] },
  ],
  operator_keys: [hashOfKey(OPERATOR_KEY)],
};

interface Opened {
  readonly id: string;
  readonly token: string;
  readonly speakerToken: string;
  readonly urls: { readonly socket: string };
}

const edges: TestEdge[] = [];
const ends: (() => Promise<void>)[] = [];

before(async () => {
  const root = await temporaryFolder({ after: (end) => ends.push(end) });
  await writeTinyAvatar(root, "ada", {}, "acme");
  await writeTinyAvatar(root, "bea", {}, "acme");
  const environment = { MOUTHPIECE_TOKEN_KEYS: JSON.stringify({ keys: [SIGNING] }) };
  const config = { access: ACCESS, core: { url: "http://127.0.0.1:9" }, log_level: "info" };
  for (let n = 0; n < 2; n++) edges.push(await RUNTIMES.node({ root, config, environment }));
});
after(async () => {
  for (const edge of edges) await edge.stop();
  for (const end of ends) await end();
});

const call = (method: string, path: string, secret: string, body?: object, edge = edges[0]!) =>
  fetch(edge.url + path, {
    method,
    headers: { authorization: `Bearer ${secret}` },
    signal: AbortSignal.timeout(LIMIT_MS),
    ...(body && { body: JSON.stringify(body) }),
  });
const statusOf = async (response: Promise<Response>) => {
  const { status, body } = await response;
  await body?.cancel();
  return status;
};
const open = async (secret = KEYS.acme, avatar = "ada"): Promise<Opened> => {
  const response = await call("POST", `/v1/avatars/${avatar}/sessions`, secret);
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()) as Opened;
};
const end = async ({ id }: Opened, edge = edges[0]!) => {
  assert.equal(
    await statusOf(call("DELETE", `/v1/sessions/${id}`, KEYS.acme, undefined, edge)),
    204,
  );
};

/** Code with which a join from a page ends; 0 when it is let in. */
async function joinFrom(origin: string, { urls, token }: Opened): Promise<number> {
  const url = edges[0]!.url.replace("http", "ws") + urls.socket;
  const socket = new NodeSocket(url, { origin });
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "join", protocol: 1, token, audio: ["pcm"] }));
  const closed = once(socket, "close").then(([code]) => code as number);
  const told = once(socket, "message").then(([data]) =>
    String(data).includes('"joined"') ? 0 : closed,
  );
  const code = await Promise.race([told, closed]);
  socket.close();
  await closed;
  return code;
}

test("sessions are their tenant's, and a viewer's token opens one of its avatar", async () => {
  const session = await open();
  const path = `/v1/sessions/${session.id}`;
  assert.equal(await statusOf(call("GET", path, KEYS.acme)), 200);
  assert.equal(await statusOf(call("GET", path, OPERATOR_KEY)), 200);
  assert.equal(await statusOf(call("GET", path, KEYS.globex)), 404);
  assert.equal(await statusOf(call("DELETE", path, KEYS.globex)), 404);
  assert.equal(await statusOf(call("POST", "/v1/avatars/ada/sessions", KEYS.globex)), 404);
  assert.equal(await statusOf(fetch(`${edges[0]!.url}/v1/sessions`)), 401);
  const list = async (secret: string) => {
    const body = (await (await call("GET", "/v1/sessions", secret)).json()) as {
      sessions: { id: string }[];
    };
    return body.sessions.map(({ id }) => id);
  };
  assert.deepEqual(await list(KEYS.acme), [session.id]);
  assert.deepEqual(await list(KEYS.globex), []);
  assert.deepEqual(await list(OPERATOR_KEY), [session.id]);

  const made = await call("POST", "/v1/tokens", KEYS.acme, { avatar: "ada" });
  const { token } = (await made.json()) as { token: string };
  assert.equal(await statusOf(call("POST", "/v1/avatars/bea/sessions", token)), 404);
  assert.equal(await statusOf(call("GET", path, token)), 403);
  assert.equal(await statusOf(call("DELETE", path, token)), 403);
  // Neither is a join token good for anything but joining.
  assert.equal(await statusOf(call("GET", "/v1/avatars", session.token)), 401);
  const second = await open(token);
  const third = await call("POST", "/v1/avatars/ada/sessions", KEYS.acme);
  assert.equal(third.status, 429);
  assert.equal(third.headers.get("retry-after"), "5");
  assert.match(await third.text(), /acme has 2 live sessions/);
  await end(session);
  await end(second);
});

test("pages that the tenant has not named may not join", async () => {
  const session = await open();
  assert.equal(await joinFrom(PAGE, session), 0);
  assert.equal(await joinFrom("https://elsewhere.example", session), 4401);
  await end(session);
});

test("secrets in the URL, other paths and plain requests are refused", async () => {
  const session = await open();
  for (const [path, status] of [
    [`${session.urls.socket}?token=${session.token}`, 400],
    ["/v1/avatars", 404],
    [session.urls.socket, 101],
  ] as const) {
    const socket = new NodeSocket(edges[0]!.url.replace("http", "ws") + path);
    const refused = once(socket, "unexpected-response").then(([, response]) => response.statusCode);
    socket.on("error", () => {});
    const got = await Promise.race([refused, once(socket, "open").then(() => 101)]);
    socket.terminate();
    assert.equal(got, status, path.split("?")[0]);
  }
  await end(session);
});

test("who offers HTTP/2 in the headers is answered as before", async () => {
  const { hostname, port } = new URL(edges[0]!.url);
  const headers = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "" };
  const request = get({ hostname, port, path: "/livez", headers });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 200);
});

test("a viewer's token opens its session where it is not known; a speaker's does not", async () => {
  const session = await open();
  const elsewhere = edges[1]!;
  const speaker = await LiveClient.open(elsewhere.url, session.urls.socket);
  speaker.send({ type: "join", protocol: 1, token: session.speakerToken });
  assert.equal((await speaker.told("error")).code, "no_session");
  assert.equal((await speaker.ended()).code, 4404);
  const offer = { video: ["jpeg"], audio: ["pcm"] };
  const viewer = await LiveClient.join(elsewhere.url, session, session.token, offer);
  await viewer.until("a picture", () => viewer.pictures()[0] ?? null);
  const late = await LiveClient.join(elsewhere.url, session, session.speakerToken);
  assert.equal(late.all("joined")[0]?.session, session.id);
  await end(session, elsewhere);
  assert.equal((await viewer.ended()).code, 1000);
  // What has ended does not come back with a token that still is good.
  const again = await LiveClient.open(elsewhere.url, session.urls.socket);
  again.send({ type: "join", protocol: 1, token: session.token });
  assert.equal((await again.told("error")).code, "ended");
  await end(session);
});

test("without a core the background goes round, and speech fails with a reason", async () => {
  const session = await open();
  const viewer = await LiveClient.join(edges[0]!.url, session, session.token);
  viewer.say(tone(32_000).map((sample) => sample | 4096));
  const finished = await viewer.told("playback_finished");
  assert.equal(finished.reason, "failed");
  assert.match(finished.detail ?? "", /no core answers/);
  const { length } = viewer.pictures();
  await viewer.until("pictures", () => viewer.pictures()[length + 10] ?? null);
  assert.equal(viewer.all("playback_finished").length, 1);
  await end(session);
});

test("an edge that stops says so", async () => {
  const stopping = edges.pop()!;
  const response = await call("POST", "/v1/avatars/ada/sessions", KEYS.acme, undefined, stopping);
  const session = (await response.json()) as Opened;
  const viewer = await LiveClient.join(stopping.url, session, session.token);
  await viewer.until("a picture", () => viewer.pictures()[0] ?? null);
  await stopping.stop();
  assert.equal((await viewer.told("ended")).reason, "going_away");
  assert.equal((await viewer.ended()).code, 1001);
});
