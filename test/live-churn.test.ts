import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { silentLogger } from "../avatar/logger.ts";
import { main } from "../cli/main.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { LiveClient } from "./support/live-client.ts";
import type { EdgeHoldings } from "./support/live-edge-process.ts";
import { temporaryFolder, tone, writeTinyAvatar } from "./support/tiny-avatar.ts";
import { offerOf } from "./support/webrtc-offer.ts";

/**
 * A thousand people come and go, in all the ways there are, and 200 make offers of
 * WebRTC and are not heard of again. Then nothing is left of them.
 */

const LIMIT_MS = 10_000;
const ROUNDS = 4;
const JOINS = 250;
const OFFERS = 200;
const AT_ONCE = 6;
/** Kinds of resources that a session or its connection could leave behind. */
const KINDS = ["TCPSocketWrap", "Timeout", "UDPWrap", "Immediate"];
/**
 * What 750 sessions may add to the heap: the ids of those that ended, and what differs
 * between two collections. One that stayed would be ten times its share.
 */
const MAX_GROWTH_BYTES = 3 * 1024 ** 2;
const SPEECH = tone(16_000).map((sample) => sample | 4096);

interface Opened {
  readonly id: string;
  readonly token: string;
  readonly urls: { readonly socket: string; readonly whep: string };
}

const ends: (() => Promise<void>)[] = [];
let core: RunningCore;
let edge: ChildProcess;
let url: string;

before(async () => {
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
  const imported = await folder();
  await writeTinyAvatar(imported, "ada");
  const root = await folder();
  const publish = ["publish", "ada", "--to", root, "--root", imported, "--json"];
  assert.equal(await main([...publish, "--formats", "jpeg,h264"]), 0);
  const gpus = { cpu_threads_per_worker: 1 };
  core = await startCore(
    parseCoreConfig({ models_root: root, server: { port: 0 }, gpus }, "test"),
    silentLogger,
  );
  const config = {
    avatars_root: root,
    server: { port: 0 },
    core: { url: core.url },
    live: { max_sessions: 1000, resume_s: 1 },
    webrtc: { max_peers: OFFERS },
  };
  edge = fork(
    join(import.meta.dirname, "support", "live-edge-process.ts"),
    [JSON.stringify(config)],
    { execArgv: ["--expose-gc"] },
  );
  [{ url }] = (await once(edge, "message", limit())) as [{ url: string }];
});
after(async () => {
  if (edge && edge.exitCode === null) {
    const ended = once(edge, "exit");
    edge.disconnect();
    await ended;
  }
  await core?.stop();
  for (const end of ends) await end();
});

const limit = () => ({ signal: AbortSignal.timeout(LIMIT_MS) });

interface Answer {
  readonly text: string;
  readonly location: string;
}

/** On a connection of its own: those that `fetch` keeps would be counted among what is left. */
async function call(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = "",
): Promise<Answer> {
  const sent = request(url + path, { method, headers, agent: false, ...limit() });
  sent.end(body);
  const [response] = (await once(sent, "response", limit())) as [IncomingMessage];
  const answered = await text(response);
  assert.ok((response.statusCode ?? 500) < 300, `${path}: ${response.statusCode} ${answered}`);
  return { text: answered, location: response.headers.location ?? "" };
}

async function open(): Promise<Opened> {
  return JSON.parse((await call("POST", "/v1/avatars/ada/sessions")).text) as Opened;
}

async function remove({ id }: Opened): Promise<void> {
  await call("DELETE", `/v1/sessions/${id}`);
}

async function holdings(): Promise<EdgeHoldings> {
  const answer = once(edge, "message", limit());
  edge.send("report");
  return ((await answer) as [EdgeHoldings])[0];
}

async function metric(name: string): Promise<number> {
  const { text: all } = await call("GET", "/metrics");
  const found = new RegExp(`^mouthpiece_edge_${name} (\\d+)$`, "m").exec(all);
  assert.ok(found, name);
  return Number(found[1]);
}

/** Until nothing of the sessions is there any more, and no more connections than there were. */
async function settled(atMost: EdgeHoldings | null): Promise<EdgeHoldings> {
  const latest = performance.now() + LIMIT_MS;
  for (;;) {
    const now = await holdings();
    const more = KINDS.filter(
      (kind) => atMost && (now.resources[kind] ?? 0) > (atMost.resources[kind] ?? 0),
    );
    const sessions = await metric("live_sessions");
    if (sessions === 0 && more.length === 0) return now;
    if (performance.now() > latest) {
      assert.deepEqual([sessions, now.resources], [0, atMost?.resources]);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** One who comes, sees something, and goes; `n` says how. */
async function visit(n: number): Promise<void> {
  const session = await open();
  const isVideo = n % 2 === 0;
  const client = await LiveClient.join(url, session, session.token, {
    video: isVideo ? ["h264"] : ["jpeg"],
    audio: n % 3 === 0 ? ["opus"] : ["pcm"],
  });
  if (n % 3 === 0) client.say(SPEECH, 0, n % 2 === 0);
  await client.until("a picture", () => client.pictures()[0] ?? null);
  if (n % 5 === 0) client.send({ type: "interrupt" });
  if (n % 4 === 0) client.send({ type: "leave" });
  else if (n % 4 === 1) client.socket.close();
  // The others are told that it is over, or left to `resume_s`.
  if (n % 8 !== 0) await remove(session);
  await client.ended();
}

async function inParallel(count: number, act: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < count; n = next++) await act(n);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

let first: EdgeHoldings;
for (let round = 1; round <= ROUNDS; round++) {
  test(`${round * JOINS} have joined and left: nothing is left of them`, {
    timeout: 60_000,
  }, async (t) => {
    await inParallel(JOINS, visit);
    const now = await settled(first ?? null);
    // Warm by now: code is compiled, pools have their size.
    first ??= now;
    const growth = now.heapBytes - first.heapBytes;
    t.diagnostic(`${(now.heapBytes / 1024 ** 2).toFixed(1)} MB; ${JSON.stringify(now.resources)}`);
    assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes more than after the first ${JOINS}`);
    assert.equal(await metric("live_viewers"), 0);
    assert.equal(await metric("live_sessions_opened_total"), round * JOINS);
  });
}

test(`${OFFERS} offers of WebRTC, deleted or never heard of again`, {
  timeout: 60_000,
}, async (t) => {
  let isFirstHalf = true;
  const offer = async (n: number) => {
    const session = await open();
    const authorization = `Bearer ${session.token}`;
    const type = { "content-type": "application/sdp" };
    const offered = { authorization, ...type };
    const { location } = await call("POST", session.urls.whep, offered, offerOf());
    // The rest waits for a connection that does not come: 15 s.
    if (n % 2 === 0 || isFirstHalf) await call("DELETE", location, { authorization });
    await remove(session);
  };
  await inParallel(OFFERS / 2, offer);
  const gone = async () => {
    const latest = performance.now() + 2 * LIMIT_MS;
    while ((await metric("webrtc_peers")) > 0) {
      assert.ok(performance.now() < latest, "peers that nobody has heard of are still there");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return settled(first);
  };
  const half = await gone();
  isFirstHalf = false;
  await inParallel(OFFERS / 2, offer);
  const now = await gone();
  t.diagnostic(
    `${((now.heapBytes - half.heapBytes) / 1024).toFixed(0)} KB more after the second half`,
  );
  assert.ok(now.heapBytes - half.heapBytes < MAX_GROWTH_BYTES);
});
