import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { silentLogger } from "../avatar/logger.ts";
import { createApiKey, hashOfKey } from "../edge/access/api-key.ts";
import type { OperatorSnapshot } from "../edge/operator/snapshot.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { LiveClient } from "./support/live-client.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** What operators are told, in every runtime, with a core that serves and one that says nothing. */

const LIMIT_MS = 10_000;
const KEY = createApiKey();
const OPERATOR_KEY = createApiKey();
const SIGNING = { kty: "oct", alg: "HS256", k: "k".repeat(43), kid: "one" };
const ACCESS = {
  tenants: [{ id: "acme", keys: [hashOfKey(KEY)] }],
  operator_keys: [hashOfKey(OPERATOR_KEY)],
};

let root: string;
let core: RunningCore;
let silent: Server;
let silentUrl: string;
const ends: (() => Promise<void>)[] = [];

before(async () => {
  root = await temporaryFolder({ after: (end) => ends.push(end) });
  await writeTinyAvatar(root, "ada", {}, "acme");
  const config = { models_root: root, server: { port: 0 }, gpus: { cpu_threads_per_worker: 1 } };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
  const sockets = new Set<{ destroy(): void }>();
  silent = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const address = silent.address();
  assert.ok(address && typeof address === "object");
  silentUrl = `http://127.0.0.1:${address.port}`;
  ends.push(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

for (const runtime of ["node", "deno", "workerd"] as const) {
  describe(`what operators see on ${runtime}`, { timeout: 120_000 }, () => {
    let edge: TestEdge;
    before(async () => {
      const cores = [{ url: core.url }, { url: silentUrl, region: "elsewhere" }];
      edge = await RUNTIMES[runtime]({
        root,
        config: { core: { cores }, access: ACCESS },
        environment: { MOUTHPIECE_TOKEN_KEYS: JSON.stringify({ keys: [SIGNING] }) },
      });
    });
    after(() => edge?.stop());

    const call = (path: string, key: string | null, init: RequestInit = {}) =>
      fetch(edge.url + path, {
        signal: AbortSignal.timeout(LIMIT_MS),
        ...init,
        headers: key === null ? {} : { authorization: `Bearer ${key}` },
      });
    const snapshot = async (): Promise<OperatorSnapshot> => {
      const response = await call("/v1/operator", OPERATOR_KEY);
      assert.equal(response.status, 200, await response.clone().text());
      assert.equal(response.headers.get("cache-control"), "no-store");
      return (await response.json()) as OperatorSnapshot;
    };
    const until = async <T>(what: string, look: (seen: OperatorSnapshot) => T | undefined) => {
      const latest = performance.now() + LIMIT_MS;
      for (;;) {
        const found = look(await snapshot());
        if (found !== undefined) return found;
        assert.ok(performance.now() < latest, `${what}: it did not come`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };

    test("nobody else does", async () => {
      for (const path of ["/v1/operator", "/v1/operator/events"]) {
        assert.equal((await call(path, null)).status, 401);
        assert.equal((await call(path, KEY)).status, 403);
        assert.equal((await call(`${path}?key=${OPERATOR_KEY}`, null)).status, 400);
      }
    });

    test("the edge, its limits, cores with their models, and caches", async () => {
      const speech = { method: "POST", body: wavFile(tone(6400)) };
      const spoken = await call("/v1/avatars/ada/speak?format=jpeg", KEY, speech);
      assert.equal(spoken.status, 415);
      const wav = await fetch(`${edge.url}/v1/avatars/ada/speak?format=jpeg`, {
        ...speech,
        headers: { authorization: `Bearer ${KEY}`, "content-type": "audio/wav" },
      });
      assert.equal(wav.status, 200);
      await wav.arrayBuffer();
      const seen = await snapshot();
      assert.match(seen.edge.version, /^\d+\.\d+\.\d+$/);
      assert.match(
        seen.edge.runtime,
        { node: /Node/, deno: /Deno/, workerd: /Cloudflare/ }[runtime],
      );
      assert.equal(seen.edge.isOpen, false);
      assert.equal(seen.edge.tenants, 1);
      // An isolate has 128 MB.
      const max = runtime === "workerd" ? 16 : 64;
      assert.equal(seen.edge.limits.max_speaking, max);
      assert.deepEqual(seen.speaking, { max, count: 0, tenants: [] });
      const model = await until("the model", ({ cores }) =>
        cores.nodes[0]?.models?.find(({ id }) => id === "ada"),
      );
      assert.equal(model.state, "ready");
      assert.ok(model.frames >= 9, `${model.frames} frames`);
      const silence = await until("the silence", ({ cores }) =>
        cores.nodes[1]?.problem?.includes("within 2 s") ? cores.nodes[1] : undefined,
      );
      assert.deepEqual([silence.region, silence.models], ["elsewhere", null]);
      const [prepared] = seen.caches;
      assert.equal(prepared?.name, "prepared frames");
      assert.ok(prepared.entries > 0 && prepared.bytes > 0, `${prepared.entries}`);
      assert.ok(prepared.hits + prepared.misses > 0);
      assert.ok(prepared.budgetBytes >= prepared.bytes);
    });

    test("utterances, by tenant", async () => {
      const slow = new TransformStream<Uint8Array, Uint8Array>();
      const writer = slow.writable.getWriter();
      const response = fetch(`${edge.url}/v1/avatars/ada/speak?format=jpeg`, {
        method: "POST",
        body: slow.readable,
        // Node's fetch wants to be told; its types know it, those of the DOM do not.
        ...({ duplex: "half" } as object),
        headers: { authorization: `Bearer ${KEY}`, "content-type": "audio/l16;rate=16000" },
      });
      void writer.write(new Uint8Array(32_000)).catch(() => {});
      const tenants = await until("the utterance", ({ speaking }) =>
        speaking.count > 0 ? speaking.tenants : undefined,
      );
      assert.deepEqual(tenants, [{ tenant: "acme", count: 1 }]);
      await writer.close();
      await (await response).arrayBuffer();
    });

    test("live sessions, and an operator ends one", async () => {
      const opened = await call("/v1/avatars/ada/sessions", KEY, { method: "POST" });
      const session = (await opened.json()) as {
        id: string;
        token: string;
        urls: { socket: string };
      };
      const client = await LiveClient.join(edge.url, session, session.token, {
        video: ["jpeg"],
        audio: ["pcm"],
      });
      await client.until("a second", () => client.pictures()[24] ?? null);
      client.say(tone(32_000));
      await client.told("playback_started");
      const { live } = await snapshot();
      assert.equal(live.count, 1);
      const [seen] = live.sessions;
      assert.ok(seen);
      assert.deepEqual(
        [seen.id, seen.avatar, seen.tenant, seen.isSpeaking, seen.participants],
        [session.id, "ada", "acme", true, 1],
      );
      assert.deepEqual(
        seen.viewers.map(({ format, transport }) => [format, transport]),
        [["jpeg", "websocket"]],
      );
      assert.ok(seen.shownFrames >= 25, `${seen.shownFrames} frames`);
      assert.ok(seen.remainingS > 14_000);
      const ended = await call(`/v1/sessions/${seen.id}`, OPERATOR_KEY, { method: "DELETE" });
      assert.equal(ended.status, 204);
      assert.equal((await client.told("ended")).reason, "deleted");
      assert.equal((await snapshot()).live.count, 0);
    });

    test("warnings and errors, without secrets", async () => {
      const stranger = createApiKey();
      assert.equal((await call("/v1/avatars", stranger)).status, 401);
      const { log } = await snapshot();
      assert.ok(log.warnings > 0);
      const refused = log.entries.find(({ message }) => message === "access refused");
      assert.match(refused?.fields.reason ?? "", /API key/);
      const text = JSON.stringify(log);
      for (const key of [stranger, KEY, OPERATOR_KEY]) assert.ok(!text.includes(key.slice(4)));
    });

    test("a snapshot each second, for four at most, until they leave", async () => {
      const leave = new AbortController();
      const watch = (signal: AbortSignal) => call("/v1/operator/events", OPERATOR_KEY, { signal });
      const first = await watch(leave.signal);
      assert.equal(first.headers.get("content-type"), "text/event-stream");
      const seen: OperatorSnapshot[] = [];
      let text = "";
      for await (const chunk of first.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const event = /^event: snapshot\ndata: (.*)$/.exec(text.slice(0, end));
          assert.ok(event, text.slice(0, 200));
          seen.push(JSON.parse(event[1] ?? "") as OperatorSnapshot);
          text = text.slice(end + 2);
        }
        if (seen.length === 3) break;
      }
      assert.ok(Date.parse(seen[2]!.time) - Date.parse(seen[0]!.time) >= 1900);
      // The first has left: four find room, and a fifth does not.
      const others = [];
      const latest = performance.now() + LIMIT_MS;
      while (others.length < 4) {
        const response = await watch(leave.signal);
        if (response.status === 200) {
          others.push(response);
          continue;
        }
        assert.equal(response.status, 429);
        assert.ok(performance.now() < latest, "the one who left still holds a place");
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const fifth = await watch(AbortSignal.timeout(LIMIT_MS));
      assert.equal(fifth.status, 429);
      assert.ok(Number(fifth.headers.get("retry-after")) > 0);
      leave.abort();
    });
  });
}

describe("an edge that asks nobody", { timeout: 60_000 }, () => {
  const start = (config: object) =>
    RUNTIMES.node({ root, config: { core: { url: core.url }, ...config } });

  test("shows itself to its own machine and its own page", async (t) => {
    const edge = await start({});
    t.after(() => edge.stop());
    const get = (headers: HeadersInit = {}) =>
      fetch(`${edge.url}/v1/operator`, { headers, signal: AbortSignal.timeout(LIMIT_MS) });
    assert.equal((await get()).status, 200);
    assert.equal((await get({ origin: "https://evil.example" })).status, 403);
    assert.equal((await get({ "x-forwarded-for": "192.0.2.1" })).status, 403);
  });

  test("shows nothing where it is open on purpose", async (t) => {
    const edge = await start({ access: { open: true } });
    t.after(() => edge.stop());
    const response = await fetch(`${edge.url}/v1/operator`, {
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    assert.equal(response.status, 403);
    assert.match(await response.text(), /operator_keys/);
  });
});
