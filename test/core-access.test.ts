import assert from "node:assert/strict";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { silentLogger } from "../avatar/logger.ts";
import { SettingsError } from "../avatar/settings.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { parseEdgeConfig } from "../edge/config.ts";
import { startNodeEdge } from "../edge/runtime/node.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { startCore } from "../gpu-core/main.ts";
import { InferenceService } from "../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { MOUTHPIECE, mouthpiece, runNode } from "./support/run-command.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

type Context = { after(end: () => Promise<void>): void };

const certificates = fileURLToPath(new URL("./support/certificates/", import.meta.url));
const pem = (name: string) => join(certificates, name);
const TOKEN = "a-token-of-at-least-16-characters";
const OTHER_TOKEN = "another-token-that-is-long-enough";

async function start(t: Context, server: object, root?: string) {
  const config = parseCoreConfig(
    {
      models_root: root ?? (await temporaryFolder(t)),
      gpus: { cpu_threads_per_worker: 1 },
      server: { port: 0, ...server },
    },
    "test",
  );
  const running = await startCore(config, silentLogger);
  t.after(() => running.stop());
  return { ...running, config, url: running.url.replace("127.0.0.1", "localhost") };
}

interface Caller {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

function transports(baseUrl: string, tls: Caller, token: string | null) {
  const interceptors = [
    (next: (request: never) => Promise<never>) => (request: { header: Headers }) => {
      if (token !== null) request.header.set("authorization", `Bearer ${token}`);
      return next(request as never);
    },
  ] as never;
  const options = { baseUrl, interceptors, nodeOptions: { ...tls } };
  return {
    "Connect over HTTP/1.1": createConnectTransport({ ...options, httpVersion: "1.1" }),
    "Connect over HTTP/2": createConnectTransport({ ...options, httpVersion: "2" }),
    "gRPC-Web": createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
    gRPC: createGrpcTransport(options),
  };
}

/** What each protocol's caller is answered: `ok`, or the code. */
async function answers(url: string, tls: Caller, token: string | null) {
  const found: Record<string, string> = {};
  for (const [name, transport] of Object.entries(transports(url, tls, token))) {
    try {
      await createClient(InferenceService, transport).health({}, { timeoutMs: 5000 });
      found[name] = "ok";
    } catch (error) {
      found[name] = Code[ConnectError.from(error).code];
    }
  }
  return found;
}

const all = (answer: string) => ({
  "Connect over HTTP/1.1": answer,
  "Connect over HTTP/2": answer,
  "gRPC-Web": answer,
  gRPC: answer,
});

async function tokenFile(t: Context, text: string): Promise<string> {
  const path = join(await temporaryFolder(t), "tokens");
  await writeFile(path, text);
  return path;
}

test("who has no token is UNAUTHENTICATED in his own protocol; probes need none", async (t) => {
  const token_file = await tokenFile(t, `# old and new\n${TOKEN}\n\n${OTHER_TOKEN}\n`);
  const core = await start(t, { token_file });
  assert.deepEqual(await answers(core.url, {}, TOKEN), all("ok"));
  assert.deepEqual(await answers(core.url, {}, OTHER_TOKEN), all("ok"));
  assert.deepEqual(await answers(core.url, {}, null), all("Unauthenticated"));
  assert.deepEqual(await answers(core.url, {}, `${TOKEN}x`), all("Unauthenticated"));
  assert.equal((await fetch(`${core.url}/livez`)).status, 200);
  assert.equal((await fetch(`${core.url}/readyz`)).status, 200);
  const refused = await fetch(`${core.url}/metrics`);
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get("www-authenticate"), "Bearer");
  const headers = { authorization: `Bearer ${TOKEN}` };
  assert.equal((await fetch(`${core.url}/metrics`, { headers })).status, 200);
});

test("tokens are read again; a file that is wrong keeps the old ones", async (t) => {
  const token_file = await tokenFile(t, TOKEN);
  const core = await start(t, { token_file });
  await writeFile(token_file, OTHER_TOKEN);
  await core.reload(core.config);
  assert.deepEqual(await answers(core.url, {}, OTHER_TOKEN), all("ok"));
  assert.deepEqual(await answers(core.url, {}, TOKEN), all("Unauthenticated"));
  await writeFile(token_file, "short");
  await core.reload(core.config);
  assert.deepEqual(await answers(core.url, {}, OTHER_TOKEN), all("ok"));
});

test("TLS: every protocol, and only who trusts the authority", async (t) => {
  const core = await start(t, { tls: { cert: pem("server.pem"), key: pem("server.key") } });
  assert.match(core.url, /^https:/);
  const ca = await readFile(pem("ca.pem"));
  assert.deepEqual(await answers(core.url, { ca }, null), all("ok"));
  const other = await readFile(pem("other-ca.pem"));
  for (const answer of Object.values(await answers(core.url, { ca: other }, null))) {
    assert.notEqual(answer, "ok");
  }
});

test("mTLS: only callers whose certificate the authority signed", async (t) => {
  const tls = { cert: pem("server.pem"), key: pem("server.key"), client_ca: pem("ca.pem") };
  const core = await start(t, { tls });
  const ca = await readFile(pem("ca.pem"));
  const own = async (name: string) => ({
    ca,
    cert: await readFile(pem(`${name}.pem`)),
    key: await readFile(pem(`${name}.key`)),
  });
  assert.deepEqual(await answers(core.url, await own("client"), null), all("ok"));
  for (const caller of [{ ca }, await own("other-client")]) {
    for (const answer of Object.values(await answers(core.url, caller, null))) {
      assert.notEqual(answer, "ok");
    }
  }
});

test("certificates are read again, for new connections", async (t) => {
  const folder = await temporaryFolder(t);
  const tls = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  await copyFile(pem("server.pem"), tls.cert);
  await copyFile(pem("server.key"), tls.key);
  const core = await start(t, { tls });
  const ca = await readFile(pem("ca.pem"));
  await copyFile(pem("renewed-server.pem"), tls.cert);
  await copyFile(pem("renewed-server.key"), tls.key);
  await core.reload(core.config);
  assert.deepEqual(await answers(core.url, { ca }, null), all("ok"));
  await writeFile(tls.cert, "rubbish");
  await core.reload(core.config);
  assert.deepEqual(await answers(core.url, { ca }, null), all("ok"));
});

test("plain text at a TLS port, and TLS at a plain one, end", async (t) => {
  const secure = await start(t, { tls: { cert: pem("server.pem"), key: pem("server.key") } });
  const plain = await start(t, {});
  const ended = (url: string, bytes: Uint8Array | string) =>
    new Promise<void>((resolve) => {
      const socket = connectPlain(Number(new URL(url).port), "127.0.0.1");
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
      socket.write(bytes);
    });
  await ended(secure.url, "GET /livez HTTP/1.1\r\n\r\n");
  await ended(plain.url, new Uint8Array([22, 3, 1, 0, 5, 1, 0, 0, 1, 0, 255, 255, 255, 255]));
  assert.equal((await fetch(`${plain.url}/livez`)).status, 200);
});

test("files that cannot be used are refused at start, by key", async (t) => {
  const cases: [object, RegExp][] = [
    [{ token_file: "/nowhere" }, /server.token_file: .*\/nowhere/],
    [{ token_file: await tokenFile(t, "# none\n") }, /server.token_file/],
    [{ tls: { cert: pem("server.pem"), key: pem("client.key") } }, /server.tls.key/],
    [{ tls: { cert: "/nowhere", key: pem("server.key") } }, /server.tls.cert/],
  ];
  for (const [server, message] of cases) {
    await assert.rejects(start(t, server), (error) => {
      assert.ok(error instanceof SettingsError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

test("beyond loopback a core wants tokens or client certificates", () => {
  const parse = (server: object) => parseCoreConfig({ server }, "test");
  for (const host of ["0.0.0.0", "::", "192.168.1.5", "core.example.com", "::ffff:10.0.0.1"]) {
    assert.throws(() => parse({ host }), /server.host: .*set server.token_file/);
    const tls = { cert: "c", key: "k" };
    assert.throws(() => parse({ host, tls }), /server.host/);
    parse({ host, tls: { ...tls, client_ca: "ca" } });
    parse({ host, token_file: "tokens" });
    parse({ host, allow_insecure: true });
  }
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) parse({ host });
});

test("an edge with a token and an authority speaks; one without is told in its log, not its callers", async (t) => {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "tiny");
  const token_file = await tokenFile(t, TOKEN);
  const tls = { cert: pem("server.pem"), key: pem("server.key") };
  const core = await start(t, { token_file, tls }, root);
  const speak = async (access: object) => {
    const config = parseEdgeConfig(
      { avatars_root: root, server: { port: 0 }, core: { url: core.url, ...access } },
      "test",
    );
    const edge = await startNodeEdge(config, null, silentLogger);
    t.after(() => edge.stop());
    const response = await fetch(`${edge.url}/v1/avatars/tiny/speak?format=png`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: wavFile(tone(8000)),
    });
    return { status: response.status, text: await response.text() };
  };
  const ca = { tls: { ca: pem("ca.pem") } };
  assert.equal((await speak({ token_file, ...ca })).status, 200);
  const wrong = await speak({ token_file: await tokenFile(t, OTHER_TOKEN), ...ca });
  assert.equal(wrong.status, 503);
  assert.match(wrong.text, /the core does not let this edge in/);
  assert.doesNotMatch(wrong.text, /token/);
  assert.equal((await speak({ token_file })).status, 503);
});

test("the commands of an operator bring token and authority", async (t) => {
  const token_file = await tokenFile(t, TOKEN);
  const tls = { cert: pem("server.pem"), key: pem("server.key") };
  const core = await start(t, { token_file, tls });
  const health = (...args: string[]) =>
    runNode([MOUTHPIECE, "health", "--core", core.url, ...args], { environment: {} });
  const good = await health("--token-file", token_file, "--ca", pem("ca.pem"));
  assert.equal(good.status, 0, good.err);
  const refused = await health("--ca", pem("ca.pem"));
  assert.equal(refused.status, 1);
  assert.match(refused.err, /use --token-file, or MOUTHPIECE_CORE_TOKEN/);
  const untrusting = await health("--token-file", token_file);
  assert.equal(untrusting.status, 1);
  assert.match(untrusting.err, /not trusted: name the authority with --ca/);
  const doctor = await mouthpiece(
    ...["doctor", "--root", await temporaryFolder(t), "--core", core.url],
    ...["--token-file", token_file, "--ca", pem("ca.pem")],
  );
  assert.match(doctor.out, /^ok {4}core: /m);
});

test("render speaks with a core that wants token and TLS", async (t) => {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "ada");
  const token_file = await tokenFile(t, TOKEN);
  const tls = { cert: pem("server.pem"), key: pem("server.key") };
  const core = await start(t, { token_file, tls }, root);
  const audio = join(root, "speech.wav");
  await writeFile(audio, wavFile(tone(8000)));
  const render = (...args: string[]) =>
    mouthpiece(
      ...[
        "render",
        "--avatar",
        "ada",
        "--audio",
        audio,
        "--root",
        root,
        "--out",
        join(root, "out"),
      ],
      ...["--core", core.url, "--json", ...args],
    );
  const good = await render("--token-file", token_file, "--ca", pem("ca.pem"));
  assert.equal(good.status, 0, good.err);
  assert.equal(JSON.parse(good.out).frames, frameCount(8000));
  assert.equal((await render("--ca", pem("ca.pem"))).status, 1);
  const missing = await render("--token-file", join(root, "none"));
  assert.match(missing.err, /--token-file/);
});
