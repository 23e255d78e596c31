import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { silentLogger } from "../../../avatar/logger.ts";
import { SettingsError } from "../../../avatar/settings.ts";
import { IceRouter } from "./ice-router.ts";
import { listenOnUdp } from "./udp-listener.ts";

const COMMON = { router: new IceRouter(), logger: silentLogger };

/** A port that is free, most probably with the next ones. */
async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return Math.min(port, 65_000);
}

test("each listener takes the first port that is free, until there is none", async (t) => {
  const min = await freePort();
  const ports = { min, max: min + 1 };
  const listen = () => listenOnUdp({ ...COMMON, address: "127.0.0.1", ports });
  const first = await listen();
  t.after(() => first.close());
  const second = await listen();
  t.after(() => second.close());
  const taken = [first.candidate.port, second.candidate.port];
  assert.deepEqual(taken, [min, min + 1]);
  await assert.rejects(
    listen(),
    (error) => error instanceof SettingsError && /webrtc\.udp_ports: none of/.test(error.message),
  );
  await first.close();
  const third = await listen();
  t.after(() => third.close());
  assert.equal(third.candidate.port, min);
});

test("an address of a NAT is told, and listened for on all of this machine's", async (t) => {
  // RFC 5737: nobody's.
  const listener = await listenOnUdp({ ...COMMON, address: "203.0.113.9", ports: null });
  t.after(() => listener.close());
  assert.equal(listener.candidate.address, "203.0.113.9");
  assert.ok(listener.candidate.port > 0);
});

test("what is sent where it cannot go breaks nothing", async (t) => {
  const paths: { send(data: Uint8Array): void }[] = [];
  const router = new IceRouter();
  router.receive = (_, path) => {
    paths.push(path);
    return true;
  };
  const listener = await listenOnUdp({ ...COMMON, router, address: "127.0.0.1", ports: null });
  t.after(() => listener.close());
  const client = createSocket("udp4");
  await new Promise<void>((resolve) =>
    client.send(Buffer.from([1]), listener.candidate.port, "127.0.0.1", () => resolve()),
  );
  while (paths.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  client.close();
  // Longer than a datagram can be: the system refuses it.
  paths[0]!.send(new Uint8Array(100_000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await listener.close();
  paths[0]!.send(new Uint8Array(10));
});
