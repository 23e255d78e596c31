import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvents } from "./event-reader.ts";

async function read(...chunks: readonly (string | Uint8Array)[]): Promise<string[]> {
  const encoder = new TextEncoder();
  const bytes = chunks.map((each) => (typeof each === "string" ? encoder.encode(each) : each));
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = bytes.shift();
      if (next) controller.enqueue(next);
      else controller.close();
    },
  });
  return Array.fromAsync(readEvents(stream));
}

test("events come whole, however they were cut", async () => {
  const whole = 'event: snapshot\ndata: {"a":"é"}\n\n: a comment\n\ndata: one\ndata:two\r\n\r\n';
  const expected = ['{"a":"é"}', "one\ntwo"];
  assert.deepEqual(await read(whole), expected);
  const bytes = new TextEncoder().encode(whole);
  assert.deepEqual(await read(...Array.from(bytes, (byte) => Uint8Array.of(byte))), expected);
});

test("what was cut off is no event", async () => {
  assert.deepEqual(await read("data: one\n\ndata: tw"), ["one"]);
});

test("one without an end is not read for ever", async () => {
  await assert.rejects(read("data: ", "x".repeat(9 * 1024 * 1024)), /without an end/);
});

test("who stops reading ends the stream", async () => {
  let isCancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
    cancel() {
      isCancelled = true;
    },
  });
  for await (const data of readEvents(stream)) {
    assert.equal(data, "1");
    break;
  }
  assert.ok(isCancelled);
});
