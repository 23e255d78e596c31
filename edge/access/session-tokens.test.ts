import assert from "node:assert/strict";
import { test } from "node:test";
import { base64url, SignJWT, UnsecuredJWT } from "jose";
import { RequestError } from "../http/request-error.ts";
import { SessionTokens } from "./session-tokens.ts";
import { parseTokenKeys, type TokenKey } from "./token-keys.ts";

/** The key of RFC 8037, appendix A.1. */
const ED25519 = {
  kty: "OKP",
  crv: "Ed25519",
  alg: "EdDSA",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  kid: "ed",
} as const;
const HMAC = { kty: "oct", alg: "HS256", k: "a".repeat(43), kid: "hm" } as const;
const NOW_S = 1_800_000_000;

function open(keys: readonly TokenKey[], dateS = NOW_S, audience = "mouthpiece") {
  return new SessionTokens({ keys, audience, maxLifetimeS: 600, date: () => 1000 * dateS });
}

/** A token that is right but for what is said. */
function forge(
  claims: Record<string, unknown> = {},
  header: { alg?: string; kid?: string } = {},
  key: Uint8Array | typeof ED25519 | typeof HMAC = HMAC,
): Promise<string> {
  const right = { iss: "mouthpiece", aud: "mouthpiece", sub: "acme", jti: "1" };
  return new SignJWT({ ...right, iat: NOW_S, exp: NOW_S + 60, ...claims })
    .setProtectedHeader({ alg: "HS256", kid: "hm", ...header })
    .sign(key);
}

async function refusal(tokens: SessionTokens, token: string): Promise<string> {
  try {
    await tokens.check(token);
  } catch (error) {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.status, 401);
    return error.message;
  }
  return "accepted";
}

test("a token says who asks, for its time, whatever signs it", async () => {
  for (const key of [ED25519, HMAC]) {
    const tokens = open([key]);
    const issued = await tokens.issue({ tenantId: "acme", avatarId: "ada" }, 60);
    assert.equal(issued.expiresAtS, NOW_S + 60);
    const claims = await tokens.check(issued.token);
    assert.deepEqual(claims, { tenantId: "acme", avatarId: "ada", id: issued.id });
    assert.deepEqual(await open([key], NOW_S + 64).check(issued.token), claims);
    assert.match(await refusal(open([key], NOW_S + 66), issued.token), /expired/);
  }
  const tokens = open([HMAC]);
  const all = await tokens.issue({ tenantId: "acme", avatarId: null }, 1e6);
  assert.equal((await tokens.check(all.token)).avatarId, null);
  assert.equal(all.expiresAtS, NOW_S + 600);
});

test("keys are rotated: the old one checks, the new one signs, one that is gone does neither", async () => {
  const before = open([HMAC]);
  const old = await before.issue({ tenantId: "acme", avatarId: null }, 60);
  const between = open([ED25519, HMAC]);
  assert.equal((await between.check(old.token)).tenantId, "acme");
  const young = await between.issue({ tenantId: "acme", avatarId: null }, 60);
  assert.match(await refusal(before, young.token), /key that is not known/);
  const after = open([ED25519]);
  assert.equal((await after.check(young.token)).tenantId, "acme");
  assert.match(await refusal(after, old.token), /key that is not known/);
});

test("an edge with the public half checks and makes none", async () => {
  const { d: _, ...half } = ED25519;
  const issued = await open([ED25519]).issue({ tenantId: "acme", avatarId: null }, 60);
  const checking = open([half]);
  assert.equal((await checking.check(issued.token)).tenantId, "acme");
  await assert.rejects(checking.issue({ tenantId: "acme", avatarId: null }, 60), /signing key/);
  await assert.rejects(open([]).issue({ tenantId: "acme", avatarId: null }, 60), /signing key/);
  assert.match(await refusal(open([]), issued.token), /no keys/);
});

test("forgeries", async () => {
  const tokens = open([HMAC, ED25519]);
  assert.equal(await refusal(tokens, await forge()), "accepted");
  const [header, payload, signature] = (await forge()).split(".") as [string, string, string];
  const other = base64url.encode(JSON.stringify({ sub: "emca", exp: NOW_S + 60 }));
  const unsecured = new UnsecuredJWT({ sub: "acme" }).setExpirationTime(NOW_S + 60).encode();
  const none = (kid: string) =>
    `${base64url.encode(JSON.stringify({ alg: "none", kid }))}.${payload}.`;
  const publicHalf = base64url.decode(ED25519.x);
  for (const [token, reason] of [
    [`${header}.${other}.${signature}`, /signature is wrong/],
    [`${header}.${payload}.${signature.slice(1)}A`, /signature is wrong/],
    [`${header}.${payload}.`, /signature is wrong|not a token/],
    [unsecured, /./],
    [none("hm"), /./],
    [none("ed"), /./],
    [await forge({}, {}, new Uint8Array(32).fill(9)), /signature is wrong/],
    [await forge({}, { kid: "nobody" }), /key that is not known/],
    // What everybody knows of the other key, as if it were a secret (RFC 8725, 2.1).
    [await forge({}, { kid: "ed" }, publicHalf), /algorithm is not the key's/],
    [await forge({}, { alg: "EdDSA", kid: "hm" }, ED25519), /algorithm is not the key's/],
    [await forge({}, { alg: "HS384" }, new Uint8Array(48).fill(9)), /./],
    [await forge({ aud: "elsewhere" }), /aud is not/],
    [await forge({ iss: "elsewhere" }), /iss is not/],
    [await forge({ exp: undefined }), /exp is not/],
    [await forge({ jti: undefined }), /jti is not/],
    [await forge({ sub: undefined }), /sub is not/],
    [await forge({ sub: 7 }), /./],
    [await forge({ exp: "tomorrow" }), /./],
    [await forge({ avatar: 7 }), /claims are not/],
    [await forge({ exp: NOW_S + 601 }), /longer than/],
    [await forge({ iat: NOW_S + 60, exp: NOW_S + 120 }), /./],
    [await forge({ iat: NOW_S - 700, exp: NOW_S - 300 }), /expired/],
    [await forge({ nbf: NOW_S + 60 }), /nbf is not/],
    [await forge({ pad: "x".repeat(3000) }), /too long/],
    ["", /not a token/],
    ["a.b.c", /not a token/],
    ["....", /not a token/],
    [`${"ey".repeat(400)}`, /not a token/],
  ] as const) {
    const got = await refusal(tokens, token);
    assert.notEqual(got, "accepted", token);
    assert.match(got, reason, token);
    assert.match(got, /^the session token is refused/);
  }
});

test("a set of keys that cannot be used is refused, and not told", () => {
  const parse = (keys: unknown) => () => parseTokenKeys(JSON.stringify({ keys }), "keys.json");
  assert.equal(parse([ED25519, HMAC])().length, 2);
  for (const [wrong, message] of [
    [() => parseTokenKeys("nonsense", "keys.json"), /keys.json is no JSON/],
    [() => parseTokenKeys("[]", "keys.json"), /keys.json/],
    [parse([]), /keys.json: keys/],
    [parse([{ ...HMAC, k: "short" }]), /keys.0.k: expected at least 32 bytes/],
    [parse([{ ...HMAC, k: "a".repeat(45) }]), /keys.0.k: expected base64url/],
    [parse([{ ...HMAC, alg: "none" }]), /keys.0.alg/],
    [parse([{ ...HMAC, alg: "EdDSA" }]), /keys.0/],
    [parse([{ ...ED25519, crv: "X25519" }]), /keys.0.crv/],
    [parse([{ ...ED25519, kid: undefined }]), /keys.0.kid/],
    [parse([ED25519, { ...HMAC, kid: "ed" }]), /twice/],
  ] as const) {
    assert.throws(wrong, (error: Error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /nWGxne|aaaaa/);
      return true;
    });
  }
});
