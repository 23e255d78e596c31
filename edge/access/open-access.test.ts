import assert from "node:assert/strict";
import { test } from "node:test";
import { createJsonLogger, silentLogger } from "../../avatar/logger.ts";
import { parseEdgeConfig } from "../config.ts";
import { createApiKey, hashOfKey, isApiKey, withoutKeys } from "./api-key.ts";
import { openAccess } from "./open-access.ts";
import { createLocalRateLimiter } from "./rate-limiter.ts";

const HASH = hashOfKey("mpk_one");
const acme = { id: "acme", keys: [HASH] };

function open(access: unknown, isReachable: boolean, lines: string[] = []) {
  const config = parseEdgeConfig({ access }, "edge.yaml");
  const logger = createJsonLogger("info", (line) => lines.push(line));
  const limiter = createLocalRateLimiter(() => 0);
  return openAccess(config, { isReachable, tokenKeys: [], limiter, logger });
}

test("open on loopback alone, and it says so; elsewhere only if told to", () => {
  const lines: string[] = [];
  assert.equal(open({}, false, lines).isOpen, true);
  assert.match(lines[0] ?? "", /whoever reaches this edge may use it: it is a loopback address/);
  assert.throws(() => open({}, true), /others can reach this edge.*access.open: true/);
  assert.throws(() => open({ open: false }, false), /names nobody/);
  assert.equal(open({ open: true }, true, lines).isOpen, true);
  assert.match(lines[1] ?? "", /"level":"warn".*access.open/);
  assert.equal(open({ tenants: [acme] }, true).isOpen, false);
  assert.equal(open({ tenants: [acme] }, false).isOpen, false);
  assert.equal(open({ operator_keys: [HASH] }, true).isOpen, false);
});

test("what cannot be meant is refused, with its place", () => {
  for (const [access, message] of [
    [{ tenants: [acme, acme] }, /acme is there twice/],
    [{ tenants: [acme, { id: "b", keys: [HASH] }] }, /a key of b is there twice/],
    [{ tenants: [acme], operator_keys: [HASH] }, /a key is a tenant's too/],
    [{ tenants: [acme], open: true }, /an open edge asks for no keys/],
    [{ tenants: [{ id: "Acme!" }] }, /access.tenants.0.id: use 1 to 64/],
    [{ tenants: [{ id: "a", keys: ["mpk_secret"] }] }, /keys.0: expected sha256:/],
    [{ tenants: [{ id: "a", origins: ["https://a.example/"] }] }, /origins.0: expected an origin/],
    [{ tenants: [{ id: "a", origins: ["a.example"] }] }, /origins.0: expected an origin/],
    [{ tenants: [{ id: "a", origins: ["null"] }] }, /origins.0: expected an origin/],
    [{ tokens: { max_lifetime_s: 1e9 } }, /access.tokens.max_lifetime_s/],
    [{ tenant: [] }, /unknown key access.tenant/],
  ] as const) {
    assert.throws(() => parseEdgeConfig({ access }, "edge.yaml"), message);
  }
});

test("keys: random, recognised, and taken out of what is logged", () => {
  const keys = new Set(Array.from({ length: 1000 }, createApiKey));
  assert.equal(keys.size, 1000);
  for (const key of keys) assert.ok(isApiKey(key), key);
  const [key = ""] = keys;
  assert.equal(withoutKeys(`/v1/${key}/x/${key}`), "/v1/mpk_***/x/mpk_***");
  for (const wrong of ["", "mpk_", key.slice(1), `${key}a`, key.replace(/.$/, "=")]) {
    assert.equal(isApiKey(wrong), false, wrong);
  }
});

test("a key is found by its hash, and by nothing else", async () => {
  const key = createApiKey();
  const config = parseEdgeConfig(
    { access: { tenants: [{ id: "a", keys: [hashOfKey(key)] }] } },
    "",
  );
  const limiter = createLocalRateLimiter(() => 0);
  const options = { isReachable: true, tokenKeys: [], limiter, logger: silentLogger };
  const access = openAccess(config, options);
  const admit = (authorization: string | null) =>
    access.admit({ authorization, origin: null, isSameOrigin: true, isForwarded: false }, "1");
  assert.equal((await admit(`Bearer ${key}`)).tenant?.id, "a");
  assert.equal((await admit(`bearer  ${key} `)).tenant?.id, "a");
  for (const wrong of [
    null,
    "",
    key,
    `Basic ${key}`,
    "Bearer ",
    `Bearer ${createApiKey()}`,
    `Bearer ${hashOfKey(key)}`,
    `Bearer ${key}, Bearer ${key}`,
    `Bearer ${key} x`,
    `Bearer ${"x".repeat(5000)}`,
  ]) {
    await assert.rejects(admit(wrong), { name: "RequestError", status: 401 }, String(wrong));
  }
});

test("what is open for its address alone is not open through a proxy", async () => {
  const credentials = {
    authorization: null,
    origin: null,
    isSameOrigin: true,
    isForwarded: true,
  };
  await assert.rejects(open({}, false).admit(credentials, "1"), /now a proxy asks for others/);
  assert.equal((await open({ open: true }, false).admit(credentials, "1")).kind, "anyone");
});
