import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionTokens } from "../access/session-tokens.ts";
import type { TokenKey } from "../access/token-keys.ts";
import { RequestError } from "../http/request-error.ts";
import { JoinTokens } from "./join-tokens.ts";

const KEY: TokenKey = { kty: "oct", alg: "HS256", k: "a".repeat(43), kid: "hm" };
const NOW_MS = 1_800_000_000_000;
const CLAIMS = { sessionId: "s-1", avatarId: "ada", tenantId: "acme", role: "viewer" } as const;

function open(keys: readonly TokenKey[], dateMs = NOW_MS, audience = "mouthpiece") {
  return new JoinTokens({ keys, audience, lifetimeS: 60, date: () => dateMs });
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.status, 401);
    return error.message;
  }
  return "accepted";
}

test("a token says what may be joined, and as what", async () => {
  for (const keys of [[KEY], []]) {
    const tokens = open(keys);
    for (const tenantId of ["acme", null]) {
      const claims = { ...CLAIMS, tenantId };
      const { token, expiresAtS } = await tokens.issue(claims);
      const { id, isExpired, ...said } = await tokens.check(token);
      assert.deepEqual(said, claims);
      assert.match(id, /^[0-9a-f-]{36}$/);
      assert.equal(isExpired, false);
      assert.equal(expiresAtS, NOW_MS / 1000 + 60);
    }
  }
});

test("one that has expired is told so, and still has to be genuine", async () => {
  const { token } = await open([KEY]).issue(CLAIMS);
  const later = open([KEY], NOW_MS + 3_600_000);
  assert.equal((await later.check(token)).isExpired, true);
  const forged = `${token.slice(0, -4)}AAAA`;
  assert.match(await refusal(later.check(forged)), /signature is wrong/);
});

test("tokens of another process, audience or kind are refused", async () => {
  const { token } = await open([]).issue(CLAIMS);
  assert.match(await refusal(open([]).check(token)), /signature is wrong/);
  assert.match(await refusal(open([KEY]).check(token)), /not known here/);
  const signed = await open([KEY]).issue(CLAIMS);
  assert.match(await refusal(open([KEY], NOW_MS, "other").check(signed.token)), /aud/);
  assert.match(await refusal(open([KEY]).check("nonsense")), /not a token/);
  assert.match(await refusal(open([KEY]).check("x".repeat(3000))), /too long/);
  // Neither is a viewer's other token good for a session, nor this one for anything else.
  const options = { keys: [KEY], audience: "mouthpiece", maxLifetimeS: 600, date: () => NOW_MS };
  const others = new SessionTokens(options);
  const other = await others.issue({ tenantId: "acme", avatarId: null }, 60);
  assert.match(await refusal(open([KEY]).check(other.token)), /aud/);
  assert.match(await refusal(others.check(signed.token)), /aud/);
});

test("an edge that only checks makes no tokens", async () => {
  const checking = {
    kty: "OKP",
    crv: "Ed25519",
    alg: "EdDSA",
    x: "a".repeat(43),
    kid: "e",
  } as const;
  await assert.rejects(open([checking]).issue(CLAIMS), /signing key/);
});
