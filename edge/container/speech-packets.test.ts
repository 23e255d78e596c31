import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { each, pieces } from "../../test/support/films.ts";
import { sampleSpeech } from "../../test/support/sample-speech.ts";
import { type SpeechPacket, SpeechPackets } from "./speech-packets.ts";

async function packetsOf(parts: Iterable<Int16Array>): Promise<SpeechPacket[]> {
  const packets = new SpeechPackets(each(parts), undefined);
  const found: SpeechPacket[] = [];
  for (;;) {
    const next = await packets.next(Number.POSITIVE_INFINITY);
    if (!next) return found;
    found.push(next);
  }
}

test("packets follow each other from the priming to the end of the speech", async () => {
  const speech = await sampleSpeech();
  for (const samples of [1, 1_023, 1_024, 1_025, 5_000, 64_000]) {
    const packets = await packetsOf(pieces(speech.subarray(0, samples), 999));
    let at = -1_024;
    for (const { timestampS, durationS } of packets) {
      assert.equal(timestampS * 16_000, at);
      at += Math.round(durationS * 16_000);
    }
    assert.equal(at, samples);
  }
});

test("they do not depend on how the speech is cut", async () => {
  const speech = (await sampleSpeech()).subarray(0, 20_000);
  const expected = await packetsOf([speech]);
  for (const length of [1, 320, 1_024, 1_600]) {
    assert.deepEqual(await packetsOf(pieces(speech, length)), expected);
  }
});

test("silence that nobody spoke has no packets", async () => {
  assert.deepEqual(await packetsOf([]), []);
  assert.deepEqual(await packetsOf([new Int16Array(0)]), []);
});

test("a packet that begins later waits for its time", async () => {
  const packets = new SpeechPackets(each(pieces(new Int16Array(8_000), 800)), undefined);
  assert.equal((await packets.next(0))!.timestampS, -0.064);
  assert.equal(await packets.next(0), null);
  assert.equal((await packets.next(0.01))!.timestampS, 0);
  assert.equal(packets.isOver, false);
  packets.stop();
  assert.equal(packets.isOver, true);
});

test("no more than half a minute is read ahead, and all of it when it is taken", async () => {
  let read = 0;
  function* endless(): Generator<Int16Array> {
    for (; read < 200 * 16_000; read += 1_600) yield new Int16Array(1_600);
  }
  const packets = new SpeechPackets(each(endless()), undefined);
  for (let n = 0; n < 3_000; n++) await setImmediate();
  assert.ok(read > 29 * 16_000 && read < 32 * 16_000, `${read / 16_000} s`);
  let last = 0;
  for (let next = await packets.next(1e9); next; next = await packets.next(1e9)) {
    last = next.timestampS + next.durationS;
  }
  assert.equal(last, 200);
});

test("a source that breaks is heard of, behind what it gave", async () => {
  async function* broken(): AsyncGenerator<Int16Array> {
    yield new Int16Array(4_096);
    throw new Error("the line is dead");
  }
  const packets = new SpeechPackets(broken(), undefined);
  assert.equal((await packets.next(0))!.timestampS, -0.064);
  await assert.rejects(async () => {
    for (;;) await packets.next(1e9);
  }, /the line is dead/);
});

test("when nobody takes any more, the source is let go", async () => {
  let isClosed = false;
  async function* source(): AsyncGenerator<Int16Array> {
    try {
      for (;;) {
        yield new Int16Array(1_600);
        await setImmediate();
      }
    } finally {
      isClosed = true;
    }
  }
  const packets = new SpeechPackets(source(), undefined);
  await packets.next(0);
  packets.stop();
  packets.stop();
  for (let n = 0; n < 10; n++) await setImmediate();
  assert.ok(isClosed);
});
