import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  Code,
  ConnectError,
  createClient,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { SignJWT, UnsecuredJWT } from "jose";
import { silentLogger } from "../avatar/logger.ts";
import { createApiKey, hashOfKey } from "../edge/access/api-key.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { CompositingService } from "../proto/gen/mouthpiece/compositing/v1/compositing_pb.js";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { readParts } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** Two tenants, and an avatar that is everybody's; every runtime lets the same callers in. */

const WAV = wavFile(tone(16_640));
const LIMIT_MS = 20_000;
const KEYS = { acme: createApiKey(), globex: createApiKey(), slow: createApiKey() };
const OPERATOR_KEY = createApiKey();
const SIGNING = { kty: "oct", alg: "HS256", k: "k".repeat(43), kid: "one" };
const OLD = { kty: "oct", alg: "HS256", k: "o".repeat(43), kid: "old" };
const PAGE = "https://www.acme.example";

const ACCESS = {
  tenants: [
    { id: "acme", keys: [hashOfKey(KEYS.acme)], origins: [PAGE], speaking: 2 },
    { id: "globex", keys: [hashOfKey(KEYS.globex)], origins: ["https://globex.example"] },
    { id: "slow", keys: [hashOfKey(KEYS.slow)], requests_per_minute: 8 },
  ],
  operator_keys: [hashOfKey(OPERATOR_KEY)],
  tokens: { max_lifetime_s: 900 },
};

let root: string;
let core: RunningCore;
const ends: (() => Promise<void>)[] = [];

before(async () => {
  root = await temporaryFolder({ after: (end) => ends.push(end) });
  await writeTinyAvatar(root, "ada", {}, "acme");
  await writeTinyAvatar(root, "gil", {}, "globex");
  await writeTinyAvatar(root, "stock");
  const config = {
    models_root: root,
    server: { port: 0 },
    gpus: { cpu_threads_per_worker: 1 },
    // Slow enough that three at once are three at once.
    faults: [{ point: "model.run", action: "delay", delay_ms: 30, count: 0, model: "ada" }],
  };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

for (const runtime of ["node", "deno", "workerd"] as const) {
  describe(`tenants on ${runtime}`, { timeout: 120_000 }, () => {
    let edge: TestEdge;
    const sessions: Http2SessionManager[] = [];
    before(async () => {
      const config = { core: { url: core.url }, access: ACCESS, log_level: "info" };
      const environment = { MOUTHPIECE_TOKEN_KEYS: JSON.stringify({ keys: [SIGNING, OLD] }) };
      edge = await RUNTIMES[runtime]({ root, config, environment });
    });
    after(async () => {
      for (const session of sessions) session.abort();
      await edge?.stop();
    });

    const ask = (path: string, secret: string | null, init: RequestInit = {}) =>
      fetch(edge.url + path, {
        signal: AbortSignal.timeout(LIMIT_MS),
        ...init,
        headers: {
          ...(secret !== null && { authorization: `Bearer ${secret}` }),
          ...(init.headers as Record<string, string>),
        },
      });
    const speak = (id: string, secret: string, signal = AbortSignal.timeout(LIMIT_MS)) =>
      ask(`/v1/avatars/${id}/speak?format=jpeg`, secret, {
        method: "POST",
        headers: { "content-type": "audio/wav" },
        body: WAV,
        signal,
      });
    const ids = async (secret: string) => {
      const body = (await (await ask("/v1/avatars", secret)).json()) as {
        avatars: { id: string }[];
      };
      return body.avatars.map(({ id }) => id);
    };
    const status = async (response: Response | Promise<Response>) => {
      const { status: got, body } = await response;
      await body?.cancel();
      return got;
    };
    const tokenFor = async (body: object, secret = KEYS.acme) => {
      const response = await ask("/v1/tokens", secret, {
        method: "POST",
        body: JSON.stringify(body),
      });
      assert.equal(response.status, 201, await response.clone().text());
      assert.equal(response.headers.get("cache-control"), "no-store");
      return (await response.json()) as { token: string; expires: string; avatar?: string };
    };
    const forge = (claims: object, key = SIGNING, header: object = {}) => {
      const nowS = Math.floor(Date.now() / 1000);
      const right = { iss: "mouthpiece", aud: "mouthpiece", sub: "acme", jti: "1" };
      return new SignJWT({ ...right, iat: nowS, exp: nowS + 60, ...claims })
        .setProtectedHeader({ alg: "HS256", kid: key.kid, ...header })
        .sign(key);
    };

    test("who has no key gets probes, and nothing else", async () => {
      assert.equal(await status(ask("/livez", null)), 200);
      for (const path of ["/v1/avatars", "/v1/avatars/stock", "/metrics", "/v1/nowhere"]) {
        const response = await ask(path, null);
        assert.equal(response.status, 401, path);
        assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
        const { detail } = (await response.json()) as { detail: string };
        assert.match(detail, /API key or a session token/);
      }
      assert.equal(await status(speak("stock", createApiKey())), 401);
      assert.equal(await status(ask("/v1/tokens", null, { method: "POST", body: "{}" })), 401);
    });

    test("a tenant sees its own avatars and those of everybody", async () => {
      assert.deepEqual(await ids(KEYS.acme), ["ada", "stock"]);
      assert.deepEqual(await ids(KEYS.globex), ["gil", "stock"]);
      assert.deepEqual(await ids(OPERATOR_KEY), ["ada", "gil", "stock"]);
      for (const path of ["gil", "gil/frames/0.jpg", "gil/frames/0.png"]) {
        assert.equal(await status(ask(`/v1/avatars/${path}`, KEYS.acme)), 404, path);
        assert.equal(await status(ask(`/v1/avatars/${path}`, KEYS.globex)), 200, path);
      }
      const unknown = await (await ask("/v1/avatars/nil", KEYS.acme)).json();
      const hidden = await (await ask("/v1/avatars/gil", KEYS.acme)).json();
      const told = ({ detail }: { detail: string }) => detail.replace(/nil|gil/, "it");
      assert.equal(told(hidden as { detail: string }), told(unknown as { detail: string }));
      assert.equal(await status(speak("gil", KEYS.acme)), 404);
      const prewarm = { method: "POST" };
      assert.equal(await status(ask("/v1/avatars/gil/prewarm", KEYS.acme, prewarm)), 404);
      assert.equal((await readParts(await speak("stock", KEYS.globex))).length, 25);
    });

    test("the metrics are for operators", async () => {
      assert.equal(await status(ask("/metrics", KEYS.acme)), 403);
      assert.equal(await status(ask("/metrics", OPERATOR_KEY)), 200);
    });

    test("a token is good for its avatar and makes no others", async () => {
      const { token, expires, avatar } = await tokenFor({ avatar: "ada", expires_in: 60 });
      assert.equal(avatar, "ada");
      const lifeMs = Date.parse(expires) - Date.now();
      assert.ok(lifeMs > 30_000 && lifeMs <= 60_000, `${lifeMs}`);
      assert.deepEqual(await ids(token), ["ada"]);
      assert.equal((await readParts(await speak("ada", token))).length, 25);
      assert.equal(await status(speak("stock", token)), 404);
      assert.equal(await status(speak("gil", token)), 404);
      const again = { method: "POST", body: "{}" };
      assert.equal(await status(ask("/v1/tokens", token, again)), 403);
      assert.equal(await status(ask("/v1/tokens", OPERATOR_KEY, again)), 403);
      assert.deepEqual(await ids((await tokenFor({})).token), ["ada", "stock"]);
      const { token: other } = await tokenFor({}, KEYS.globex);
      assert.deepEqual(await ids(other), ["gil", "stock"]);
    });

    test("what is wrong with a request for a token is said", async () => {
      for (const [body, wanted] of [
        ["{", 400],
        ["7", 400],
        [JSON.stringify({ expires_in: 901 }), 400],
        [JSON.stringify({ expires_in: 1 }), 400],
        [JSON.stringify({ avatars: "ada" }), 400],
        [JSON.stringify({ avatar: "gil" }), 404],
        [JSON.stringify({ avatar: "../x" }), 404],
        [" ".repeat(5000), 413],
      ] as const) {
        const request = ask("/v1/tokens", KEYS.acme, { method: "POST", body });
        assert.equal(await status(request), wanted, body.slice(0, 50));
      }
    });

    test("tokens that are expired, forged, another's or unsigned", async () => {
      const nowS = Math.floor(Date.now() / 1000);
      assert.equal(await status(speak("ada", await forge({}))), 200);
      assert.equal(await status(speak("ada", await forge({}, OLD))), 200);
      const unsecured = new UnsecuredJWT({ sub: "acme", jti: "1" })
        .setIssuer("mouthpiece")
        .setAudience("mouthpiece")
        .setIssuedAt()
        .setExpirationTime("1m");
      for (const [token, reason] of [
        [await forge({ exp: nowS - 60, iat: nowS - 120 }), /expired/],
        [await forge({}, { ...SIGNING, k: "x".repeat(43) }), /signature is wrong/],
        [await forge({}, { ...SIGNING, kid: "two" }), /key that is not known/],
        [await forge({ exp: nowS + 1000 }), /longer than/],
        [await forge({ sub: "nobody" }), /tenant is not known/],
        [await forge({ aud: "elsewhere" }), /aud/],
        [unsecured.encode(), /not a token/],
        ["mpk_short", /not known/],
        ["x", /not a token/],
      ] as const) {
        const response = await speak("ada", token);
        assert.equal(response.status, 401, token);
        assert.match(((await response.json()) as { detail: string }).detail, reason);
      }
      assert.equal(await status(speak("ada", await forge({ sub: "globex" }))), 404);
    });

    test("keys and tokens in URLs are refused, right ones too, and kept out of the log", async () => {
      const { token } = await tokenFor({});
      for (const query of [
        `key=${KEYS.acme}`,
        `token=${token}`,
        `access_token=${token}`,
        `api_key=x`,
        `anything=${KEYS.acme}`,
      ]) {
        const response = await ask(`/v1/avatars?${query}`, KEYS.acme);
        assert.equal(response.status, 400, query);
        assert.match(((await response.json()) as { detail: string }).detail, /Authorization/);
      }
      assert.equal(await status(ask(`/v1/avatars/${KEYS.acme}`, KEYS.acme)), 400);
      assert.equal(await status(ask(`/${KEYS.acme}`, null)), 404);
      assert.doesNotMatch(edge.log(), new RegExp(KEYS.acme));
      assert.ok(!edge.log().includes(token));
    });

    test("pages: those of the tenant, and of no other", async () => {
      const from = (origin: string, secret: string | null, path = "/v1/avatars/stock") =>
        ask(path, secret, { headers: { origin } });
      const allowed = (response: Response) => response.headers.get("access-control-allow-origin");
      const own = await from(PAGE, KEYS.acme);
      assert.deepEqual([await status(own), allowed(own)], [200, PAGE]);
      assert.match(own.headers.get("vary") ?? "", /origin/i);
      const other = await from(PAGE, KEYS.globex);
      assert.deepEqual([await status(other), allowed(other)], [403, PAGE]);
      const stranger = await from("https://evil.example", KEYS.acme);
      assert.deepEqual([await status(stranger), allowed(stranger)], [403, null]);
      // The page has to be able to read why.
      const refused = await from(PAGE, null);
      assert.deepEqual([await status(refused), allowed(refused)], [401, PAGE]);
      const site = await from(edge.url, KEYS.slow);
      assert.equal(await status(site), 200);
      const preflight = async (origin: string) => {
        const response = await ask("/v1/avatars/ada/speak", null, {
          method: "OPTIONS",
          headers: {
            origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
          },
        });
        assert.equal(await status(response), 204);
        return [allowed(response), response.headers.get("access-control-allow-headers")];
      };
      assert.deepEqual(await preflight(PAGE), [PAGE, "authorization,content-type"]);
      assert.deepEqual(await preflight("https://evil.example"), [null, null]);
    });

    test("what was shown to one caller is in no cache that others share", async () => {
      const { version } = (await (await ask("/v1/avatars/ada", KEYS.acme)).json()) as {
        version: string;
      };
      const frame = await ask(`/v1/avatars/ada/frames/0.jpg?v=${version}`, KEYS.acme);
      assert.equal(await status(frame), 200);
      assert.match(frame.headers.get("cache-control") ?? "", /^private, .*immutable/);
    });

    test("a tenant's quota of speech is its own", async () => {
      const leaving = new AbortController();
      const slow = await Promise.all([1, 2].map(() => speak("ada", KEYS.acme, leaving.signal)));
      const refused = await speak("ada", KEYS.acme);
      assert.equal(refused.status, 429);
      assert.ok(Number(refused.headers.get("retry-after")) > 0);
      assert.match(((await refused.json()) as { detail: string }).detail, /of acme are speaking/);
      assert.equal(await status(speak("stock", KEYS.globex)), 200);
      leaving.abort();
      for (const { body } of slow) await body?.cancel().catch(() => {});
      const latest = performance.now() + LIMIT_MS;
      for (;;) {
        const again = await speak("ada", KEYS.acme);
        if (again.ok) {
          assert.equal((await readParts(again)).length, 25);
          break;
        }
        await again.body?.cancel();
        assert.ok(performance.now() < latest, "the quota is not given back");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });

    test("who asks too often is told when to come back; idle frames do not count", async () => {
      const statuses: number[] = [];
      for (let n = 0; n < 4; n++) {
        statuses.push(await status(ask("/v1/avatars/stock", KEYS.slow)));
        assert.equal(await status(ask("/v1/avatars/stock/frames/0.jpg", KEYS.slow)), 200);
      }
      // Two at once of eight a minute; the test before this one may have had one.
      assert.ok(statuses.filter((got) => got === 200).length <= 2, `${statuses}`);
      const last = await ask("/v1/avatars/stock", KEYS.slow);
      assert.equal(last.status, 429);
      const waitS = Number(last.headers.get("retry-after"));
      assert.ok(waitS >= 1 && waitS <= 8, `${waitS}`);
      await last.body?.cancel();
    });

    const transports: Record<string, (secret: string | null) => Transport> = {
      Connect: (secret) =>
        createConnectTransport({
          baseUrl: edge.url,
          httpVersion: "1.1",
          interceptors: [bearer(secret)],
        }),
      "gRPC-Web": (secret) =>
        createGrpcWebTransport({
          baseUrl: edge.url,
          httpVersion: "1.1",
          interceptors: [bearer(secret)],
        }),
      ...(runtime === "node" && {
        gRPC: (secret) => {
          const sessionManager = new Http2SessionManager(edge.url);
          sessions.push(sessionManager);
          const interceptors = [bearer(secret)];
          return createGrpcTransport({ baseUrl: edge.url, sessionManager, interceptors });
        },
      }),
    };
    for (const [protocol, open] of Object.entries(transports)) {
      test(`the same over ${protocol}`, async () => {
        const timeoutMs = LIMIT_MS;
        const rpc = (secret: string | null) => createClient(CompositingService, open(secret));
        const own = rpc(KEYS.acme);
        const { avatars } = await own.listAvatars({}, { timeoutMs });
        assert.deepEqual(
          avatars.map(({ id }) => id),
          ["ada", "stock"],
        );
        const { token } = await tokenFor({ avatar: "stock" });
        const all = (client: typeof own, avatarId: string) =>
          Array.fromAsync(client.speak({ avatarId, audio: WAV }, { timeoutMs }));
        assert.equal((await all(rpc(token), "stock")).length, 25);
        const stranger = rpc(null);
        const forged = rpc(await forge({}, { ...SIGNING, k: "x".repeat(43) }));
        for (const [call, code, message] of [
          [() => stranger.listAvatars({}), Code.Unauthenticated, /API key or a session token/],
          [() => all(stranger, "stock"), Code.Unauthenticated, /API key or a session token/],
          [() => all(forged, "stock"), Code.Unauthenticated, /signature is wrong/],
          [() => own.getAvatar({ avatarId: "gil" }), Code.NotFound, /no avatar gil/],
          [() => all(own, "gil"), Code.NotFound, /no avatar gil/],
          [() => all(rpc(token), "ada"), Code.NotFound, /no avatar ada/],
        ] as const) {
          await assert.rejects(call, (error) => {
            const { code: got, rawMessage } = ConnectError.from(error);
            assert.equal(Code[got], Code[code]);
            assert.match(rawMessage, message);
            return true;
          });
        }
      });
    }

    test("the log says who did what, and who was refused", async () => {
      await tokenFor({ avatar: "ada" });
      await status(ask("/v1/avatars", null));
      const lines = await eventually(() => {
        const found = edge
          .log()
          .split("\n")
          .filter((line) => line.startsWith("{"))
          .map((line) => JSON.parse(line) as Record<string, unknown>);
        return found.some(({ message }) => message === "access refused") ? found : null;
      });
      const issued = lines.findLast(({ message }) => message === "token issued");
      assert.equal(issued?.audit, true);
      assert.equal(issued?.tenant, "acme");
      assert.equal(issued?.avatar, "ada");
      assert.match(String(issued?.credential), /^[0-9a-f]{8}$/);
      assert.ok(lines.some(({ message, tenant }) => message === "spoken" && tenant === "globex"));
      assert.ok(lines.some(({ message, tenant }) => message === "request" && tenant === "acme"));
    });
  });
}

test("strangers are not told where cores and avatars are", { timeout: 60_000 }, async (t) => {
  const url = "http://127.0.0.1:9";
  for (const [access, reason] of [
    [ACCESS, "no core can serve"],
    [{}, /127\.0\.0\.1:9/],
  ] as const) {
    const edge = await RUNTIMES.node({ root, config: { core: { url }, access } });
    t.after(() => edge.stop());
    const response = await fetch(`${edge.url}/readyz`);
    assert.equal(response.status, 503);
    const { reasons } = (await response.json()) as { reasons: { core: string } };
    if (typeof reason === "string") assert.deepEqual(reasons, { core: reason });
    else assert.match(reasons.core, reason);
    assert.match(edge.log(), /not ready.*127\.0\.0\.1:9/);
  }
});

test("the binding of Workers counts beside the edge", { timeout: 60_000 }, async (t) => {
  const access = { tenants: [{ id: "acme", keys: [hashOfKey(KEYS.acme)] }] };
  const config = { core: { url: core.url }, access };
  const edge = await RUNTIMES.workerd({ root, config, callsPerMinute: 3 });
  t.after(() => edge.stop());
  const statuses: number[] = [];
  for (let n = 0; n < 5; n++) {
    const headers = { authorization: `Bearer ${KEYS.acme}` };
    const response = await fetch(`${edge.url}/v1/avatars/ada`, { headers });
    statuses.push(response.status);
    await response.body?.cancel();
  }
  assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
});

function bearer(secret: string | null): Interceptor {
  return (next) => (request) => {
    if (secret !== null) request.header.set("authorization", `Bearer ${secret}`);
    return next(request);
  };
}

async function eventually<T>(find: () => T | null): Promise<T> {
  const latest = performance.now() + LIMIT_MS;
  for (;;) {
    const found = find();
    if (found !== null) return found;
    assert.ok(performance.now() < latest, "it did not come");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
