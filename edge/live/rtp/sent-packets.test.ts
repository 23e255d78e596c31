import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { SentPackets } from "./sent-packets.ts";

const packet = (sequenceNumber: number) => ({
  ssrc: 1,
  payloadType: 96,
  sequenceNumber,
  timestamp: 0,
  marker: false,
  payload: new Uint8Array(),
});

test("a packet is found once per round trip", async () => {
  const clock = new VirtualClock();
  const sent = new SentPackets(clock);
  sent.add(packet(65_535), true);
  sent.add(packet(0), false);
  assert.deepEqual(sent.take(0, 50), packet(0));
  assert.equal(sent.take(0, 50), null);
  await clock.advanceBy(49);
  assert.equal(sent.take(0, 50), null);
  await clock.advanceBy(1);
  assert.deepEqual(sent.take(0, null), packet(0));
  assert.deepEqual(sent.take(65_535, null), packet(65_535));
});

test("what is too old is gone, and what a key frame made useless is not missed", async () => {
  const clock = new VirtualClock();
  const sent = new SentPackets(clock);
  assert.equal(sent.take(7, null), null);
  sent.add(packet(65_530), true);
  sent.add(packet(65_531), false);
  await clock.advanceBy(601);
  assert.equal(sent.take(65_531, null), "gone");
  assert.equal(sent.take(65_529, null), null);
  sent.add(packet(3), true);
  assert.equal(sent.take(65_531, null), null);
  assert.deepEqual(sent.take(3, null), packet(3));
});

test("memory is bounded", () => {
  const sent = new SentPackets(new VirtualClock());
  for (let n = 0; n < 3000; n++) sent.add(packet(n), n === 0);
  assert.equal(sent.take(3000 - 1025, null), "gone");
  assert.deepEqual(sent.take(3000 - 1024, null), packet(3000 - 1024));
});
