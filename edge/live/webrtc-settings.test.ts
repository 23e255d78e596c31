import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSettings, SettingsError } from "../../avatar/settings.ts";
import { turnSettingsOf, webrtcSchema } from "./webrtc-settings.ts";

test("nothing has to be said", () => {
  assert.deepEqual(parseSettings(webrtcSchema, {}, "edge.yaml"), {
    ice_tcp: false,
    stun: [],
    max_peers: 100,
    kilobits: { start: 1000, min: 100, max: 6000 },
  });
});

test("relays are handed on", () => {
  const turn = { urls: ["turn:relay.example.com:3478"], secret: "0123456789abcdef" };
  const settings = parseSettings(webrtcSchema, { turn }, "edge.yaml");
  assert.deepEqual(turnSettingsOf(settings), { ...turn, lifetimeS: 3600 });
  assert.equal(turnSettingsOf(parseSettings(webrtcSchema, {}, "edge.yaml")), null);
});

const WRONG: readonly [value: unknown, why: RegExp][] = [
  [{ udp_ports: { min: 2000, max: 1000 } }, /udp_ports: min must not be greater/],
  [{ udp_ports: { min: 0, max: 1000 } }, /udp_ports\.min/],
  [{ addresses: ["example.com"] }, /addresses\.0: expected an IP address/],
  [{ addresses: [] }, /addresses/],
  [{ stun: ["http://example.com"] }, /stun\.0: expected a stun: URL/],
  [{ stun: ['stun:x>; rel="next'] }, /stun\.0/],
  [{ turn: { urls: ["turn:x"], secret: "short" } }, /turn\.secret/],
  [{ kilobits: { start: 50, min: 100 } }, /kilobits: expected min <= start <= max/],
  [{ peers: 3 }, /unknown key peers: allowed here are/],
];

test("what cannot be is refused, and said where", () => {
  for (const [value, why] of WRONG) {
    assert.throws(
      () => parseSettings(webrtcSchema, value, "edge.yaml"),
      (error) => error instanceof SettingsError && why.test(error.message),
      JSON.stringify(value),
    );
  }
});
