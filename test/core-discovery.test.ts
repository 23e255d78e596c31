import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { VirtualClock } from "../avatar/clock.ts";
import { silentLogger } from "../avatar/logger.ts";
import { SettingsError } from "../avatar/settings.ts";
import { noTracing } from "../avatar/tracing/tracing.ts";
import { parseEdgeConfig } from "../edge/config.ts";
import { CoreCallError } from "../edge/core/core-client.ts";
import { openFleet } from "../edge/core/fleet/open-fleet.ts";
import { CoreFollower } from "../edge/runtime/core-discovery.ts";
import { createCoreTransports } from "../edge/runtime/core-transport.ts";
import { startNodeEdge } from "../edge/runtime/node.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { startCore } from "../gpu-core/main.ts";
import { RUNTIMES } from "./support/edges.ts";
import { startNameServer } from "./support/name-server.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

type Context = { after(end: () => Promise<void>): void };

const NAME = "core-headless.talk.svc.cluster.local";
const pem = (name: string) =>
  fileURLToPath(new URL(`./support/certificates/${name}`, import.meta.url));
const soon = () => AbortSignal.timeout(10_000);

async function startAt(t: Context, host: string, port: number, server: object = {}) {
  const config = {
    models_root: await temporaryFolder(t),
    gpus: { cpu_threads_per_worker: 1 },
    server: { host, port, ...server },
  };
  const core = await startCore(parseCoreConfig(config, "test"), silentLogger);
  t.after(() => core.stop());
  return Number(new URL(core.url).port);
}

/** The cores of NAME as a real resolver and real connections see them; time is the test's. */
async function follow(t: Context, discover: object, core: object = {}) {
  const names = await startNameServer();
  t.after(() => names.close());
  const config = parseEdgeConfig(
    { core: { discover: { dns: NAME, ...discover }, ...core } },
    "test",
  );
  const parts = { logger: silentLogger, tracing: noTracing };
  const fleet = openFleet(config, await createCoreTransports(config.core), parts);
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([names.address]);
  const clock = new VirtualClock();
  let changed = Promise.withResolvers<void>();
  const start = () => {
    const follower = new CoreFollower({
      discover: config.core.discover!,
      region: "",
      clock,
      logger: silentLogger,
      resolver,
      setCores(cores) {
        fleet.setCores(cores);
        changed.resolve();
        changed = Promise.withResolvers();
      },
    });
    t.after(async () => {
      follower.stop();
      fleet.close();
    });
  };
  /** Until the list has changed, a question each time it is asked. */
  const next = async () => {
    const current = changed.promise;
    const timer = setInterval(() => void clock.advanceBy(5000), 20);
    await current.finally(() => clearInterval(timer));
  };
  const urls = () => fleet.stats.nodes.map(({ url }) => url);
  return { names, fleet, start, next, urls };
}

test("an edge follows two cores behind one name as they come and go", async (t) => {
  const port = await startAt(t, "127.0.0.2", 0);
  await startAt(t, "127.0.0.3", port);
  const { names, fleet, start, next, urls } = await follow(t, { port, leave_s: 10 });
  start();
  await next();
  await assert.rejects(fleet.checkHealth(soon()), (error: CoreCallError) => {
    assert.ok(error instanceof CoreCallError && error.code === "unavailable");
    assert.match(error.message, /core\.discover/);
    return true;
  });

  names.names.set(NAME, ["127.0.0.2"]);
  await next();
  await fleet.checkHealth(soon());
  names.names.set(NAME, ["127.0.0.3", "127.0.0.2"]);
  await next();
  assert.deepEqual(urls().sort(), [`http://127.0.0.2:${port}`, `http://127.0.0.3:${port}`]);
  for (const { client } of fleet.stats.nodes) await client.checkHealth(soon());
  names.names.set(NAME, ["127.0.0.3"]);
  await next();
  assert.deepEqual(urls(), [`http://127.0.0.3:${port}`]);
  await fleet.checkHealth(soon());
});

test("TLS to an address: the certificate is that of server_name, by default of the name", async (t) => {
  const tls = { cert: pem("server.pem"), key: pem("server.key") };
  const port = await startAt(t, "127.0.0.2", 0, { tls });
  const core = { tls: { ca: pem("ca.pem") } };
  const https = { port, scheme: "https" };
  const named = await follow(t, { ...https, server_name: "localhost" }, core);
  const unnamed = await follow(t, https, core);
  for (const { names, start, next } of [named, unnamed]) {
    names.names.set(NAME, ["127.0.0.2"]);
    start();
    await next();
  }
  await named.fleet.checkHealth(soon());
  await assert.rejects(unnamed.fleet.checkHealth(soon()), /certificate is not trusted/);
});

test("an edge without any core yet: speech gets 503 with Retry-After, idle frames are served", async (t) => {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "ada");
  const settings = {
    avatars_root: root,
    server: { port: 0 },
    // RFC 6761: never a name of anything.
    core: { discover: { dns: "core.invalid" } },
  };
  const edge = await startNodeEdge(parseEdgeConfig(settings, "test"), null, silentLogger);
  t.after(() => edge.stop());
  const speech = await fetch(`${edge.url}/v1/avatars/ada/speak`, {
    method: "POST",
    headers: { "content-type": "audio/wav" },
    body: wavFile(tone(16_000)),
  });
  assert.equal(speech.status, 503);
  assert.ok(Number(speech.headers.get("retry-after")) > 0);
  assert.equal((await fetch(`${edge.url}/readyz`)).status, 503);
  const idle = await fetch(`${edge.url}/v1/avatars/ada/frames/0.png`);
  assert.equal(idle.status, 200);
  await idle.arrayBuffer();
});

test("what contradicts core.discover is refused with the key to change", () => {
  const discover = { dns: NAME };
  const refused: readonly (readonly [object, RegExp])[] = [
    [{ discover, url: "http://core:50051" }, /core\.discover: core\.url names cores, too/],
    [{ discover, cores: [{ url: "http://core:50051" }] }, /core\.discover: core\.cores names/],
    [{ discover, tls: { ca: "ca.pem" } }, /core\.tls: core\.discover\.scheme is http/],
    [{ discover: { dns: "http://core" } }, /core\.discover\.dns: expected a DNS name/],
    [{ discover: { dns: NAME, interval: 5 } }, /unknown key core\.discover\.interval/],
  ];
  for (const [core, message] of refused) {
    assert.throws(() => parseEdgeConfig({ core }, "edge.yaml"), {
      name: SettingsError.name,
      message,
    });
  }
});

test("Deno takes it over http only", async () => {
  const root = "/nowhere";
  const discover = { dns: NAME, scheme: "https" };
  await assert.rejects(
    RUNTIMES.deno({ root, config: { core: { discover } } }),
    /on Deno only http/,
  );
});

test("a Worker refuses it", async (t) => {
  const root = await temporaryFolder(t);
  const edge = await RUNTIMES.workerd({ root, config: { core: { discover: { dns: NAME } } } });
  t.after(() => edge.stop());
  const response = await fetch(`${edge.url}/livez`);
  assert.equal(response.status, 500);
  await response.arrayBuffer();
  assert.match(edge.log(), /core\.discover follows a DNS name, which a Worker cannot/);
});
