import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBinary } from "../../edge/live/socket/binary-frame.ts";
import { PlayerError } from "../player-error.ts";
import { SpeechQueue } from "./speech-queue.ts";

/** What a session gets: epochs and samples, and where segments end. */
function setUp() {
  const got: string[] = [];
  const socket = {
    speech(message: Uint8Array<ArrayBuffer>) {
      const { header, body } = decodeBinary(message.buffer)!;
      assert.equal(header.kind, "speech");
      const samples = new Int16Array(body.slice().buffer);
      got.push(`${header.segment}: ${samples[0]}..${samples.at(-1)}`);
    },
    endSpeech: (epoch: number) => got.push(`${epoch}: end`),
    interrupt: () => got.push("interrupt"),
  };
  return { got, socket, queue: new SpeechQueue() };
}

const ramp = (from: number, count: number) =>
  Int16Array.from({ length: count }, (_, n) => from + n);
const isOpen = async (promise: Promise<void>) =>
  (await Promise.race([promise, Promise.resolve("open")])) === "open";

test("no more is sent than the session takes, and who waits is told", async () => {
  const { got, socket, queue } = setUp();
  const first = queue.push(ramp(0, 100));
  queue.end();
  queue.joined(socket, 3, 60);
  assert.deepEqual(got, ["3: 0..59"]);
  assert.equal(await isOpen(first), true);
  queue.widen(80);
  assert.deepEqual(got, ["3: 0..59", "3: 60..79"]);
  queue.widen(1000);
  assert.deepEqual(got.slice(2), ["3: 80..99", "3: end"]);
  assert.equal(await isOpen(first), false);
  assert.equal(queue.samples, 0);
});

test("after an interruption nothing is sent before its epoch is known", async () => {
  const { got, socket, queue } = setUp();
  queue.joined(socket, 0, 50);
  const old = queue.push(ramp(0, 100));
  queue.interrupt();
  assert.equal(await isOpen(old), false, "it is void");
  void queue.push(ramp(500, 10));
  queue.widen(1000);
  assert.deepEqual(got, ["0: 0..49", "interrupt"]);
  queue.interrupted(1);
  assert.deepEqual(got, ["0: 0..49", "interrupt", "1: 500..509"]);
});

test("when another one interrupts, what waits is void", async () => {
  const { got, socket, queue } = setUp();
  queue.joined(socket, 0, 10);
  const waiting = queue.push(ramp(0, 100));
  queue.interrupted(1);
  queue.widen(1000);
  assert.equal(await isOpen(waiting), false);
  assert.deepEqual(got, ["0: 0..9"]);
});

test("who sends piece by piece can tell that the rest is void", () => {
  const { socket, queue } = setUp();
  queue.joined(socket, 0, 10);
  const { voids } = queue;
  void queue.push(ramp(0, 100));
  assert.equal(queue.voids, voids);
  queue.interrupt();
  assert.notEqual(queue.voids, voids);
  const later = queue.voids;
  queue.interrupted(1);
  assert.equal(queue.voids, later, "that one is known");
});

test("speech waits for a connection that comes back, unless there was an interruption", async () => {
  const { got, socket, queue } = setUp();
  queue.joined(socket, 0, 10);
  queue.lost();
  void queue.push(ramp(0, 5));
  queue.joined(socket, 0, 10);
  assert.deepEqual(got, ["0: 0..4"]);
  queue.lost();
  const waiting = queue.push(ramp(10, 5));
  queue.joined(socket, 1, 10);
  assert.equal(await isOpen(waiting), false);
  assert.deepEqual(got, ["0: 0..4"]);
});

test("an interruption without a connection is told to the next one", () => {
  const { got, socket, queue } = setUp();
  queue.joined(socket, 4, 100);
  queue.lost();
  queue.interrupt();
  void queue.push(ramp(0, 5));
  queue.joined(socket, 4, 100);
  assert.deepEqual(got, ["interrupt"]);
  queue.interrupted(5);
  assert.deepEqual(got, ["interrupt", "5: 0..4"]);
});

test("it is bounded", async () => {
  const { queue } = setUp();
  void queue.push(new Int16Array(119 * 16_000));
  await assert.rejects(
    queue.push(new Int16Array(2 * 16_000)),
    (error) => error instanceof PlayerError && error.code === "too_much_audio",
  );
});
