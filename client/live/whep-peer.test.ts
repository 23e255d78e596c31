import assert from "node:assert/strict";
import { test } from "node:test";
import { iceServerLinks } from "../../edge/live/whep/ice-server-links.ts";
import { readIceServers } from "./whep-peer.ts";

test("ICE servers are read as the edge writes them", async () => {
  const turn = {
    urls: ["turn:turn.example.com:3478?transport=udp", "turns:turn.example.com:5349"],
    secret: "a secret of some length",
    lifetimeS: 3600,
  };
  const stun = ["stun:stun.example.com:3478"];
  const links = await iceServerLinks({ stun, turn }, "peer-1", 1_800_000_000_000);
  const servers = readIceServers(links.join(", "));
  assert.deepEqual(
    servers.map(({ urls }) => urls),
    [...stun, ...turn.urls],
  );
  assert.deepEqual(servers[0], { urls: stun[0] });
  for (const { username, credential } of servers.slice(1)) {
    assert.equal(username, "1800003600:peer-1");
    assert.match(String(credential), /^[A-Za-z0-9+/]{27}=$/);
  }
});

test("other links are none", () => {
  assert.deepEqual(readIceServers(null), []);
  assert.deepEqual(readIceServers('<https://example.com/>; rel="license"'), []);
  assert.deepEqual(readIceServers('<stun:example.com>; rel="other"'), []);
});
