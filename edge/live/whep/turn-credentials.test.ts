import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { iceServerLinks } from "./ice-server-links.ts";
import { issueTurnCredential } from "./turn-credentials.ts";

const TURN = { secret: "a secret that is long enough", lifetimeS: 600 };

test("a credential is what a TURN server with the secret computes", async () => {
  const credential = await issueTurnCredential(TURN, "peer-1", 1_700_000_000_999);
  assert.equal(credential.username, "1700000600:peer-1");
  assert.equal(credential.expiresAtS, 1_700_000_600);
  // As coturn does with use-auth-secret.
  const expected = createHmac("sha1", TURN.secret).update(credential.username).digest("base64");
  assert.equal(credential.password, expected);
});

test("a client is told its ICE servers in Link headers", async () => {
  const turn = { ...TURN, urls: ["turn:turn.example.com?transport=udp", "turns:turn.example.com"] };
  const links = await iceServerLinks({ stun: ["stun:stun.example.com"], turn }, "p", 0);
  const { username, password } = await issueTurnCredential(TURN, "p", 0);
  const access = `username="${username}"; credential="${password}"; credential-type="password"`;
  assert.deepEqual(links, [
    '<stun:stun.example.com>; rel="ice-server"',
    `<turn:turn.example.com?transport=udp>; rel="ice-server"; ${access}`,
    `<turns:turn.example.com>; rel="ice-server"; ${access}`,
  ]);
  assert.deepEqual(await iceServerLinks({ stun: [], turn: null }, "p", 0), []);
});
