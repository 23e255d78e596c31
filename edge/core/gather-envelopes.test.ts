import assert from "node:assert/strict";
import { test } from "node:test";
import { gatherEnvelopes } from "./gather-envelopes.ts";

function envelope(length: number, fill: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + length).fill(fill);
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

/** A body that comes in pieces of `size`. */
function bodyOf(bytes: Uint8Array<ArrayBuffer>, size: number, onCancel = () => {}) {
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at + size));
      else {
        controller.close();
        controller.byobRequest?.respond(0);
      }
      at += size;
    },
    cancel: onCancel,
  }) as ReadableStream<Uint8Array<ArrayBuffer>>;
}

const ENVELOPES = [envelope(0, 1), envelope(1, 2), envelope(7_000, 3), envelope(4096, 4)];
const WHOLE = new Uint8Array(Buffer.concat(ENVELOPES));

test("a chunk per envelope, however the body comes", async () => {
  for (const size of [1, 3, 5, 4096, 7_000, 1_000_000]) {
    const chunks = await Array.fromAsync(gatherEnvelopes(bodyOf(WHOLE, size)));
    assert.deepEqual(chunks, ENVELOPES, `pieces of ${size}`);
  }
});

test("a body that ends in the midst gives what came", async () => {
  for (const cut of [1, 4, 7, 20, WHOLE.length - 1]) {
    const chunks = await Array.fromAsync(gatherEnvelopes(bodyOf(WHOLE.slice(0, cut), 9)));
    assert.deepEqual(new Uint8Array(Buffer.concat(chunks)), WHOLE.slice(0, cut));
  }
});

test("nothing is read that nobody asks for; leaving ends the body", async () => {
  let cancelled = 0;
  const reader = gatherEnvelopes(bodyOf(WHOLE, 5, () => cancelled++)).getReader();
  assert.deepEqual((await reader.read()).value, ENVELOPES[0]);
  await reader.cancel();
  assert.equal(cancelled, 1);
});

test("a length that cannot be meant is refused before there is memory for it", async () => {
  let cancelled = 0;
  const bytes = new Uint8Array([0, 255, 255, 255, 255, 1, 2, 3]);
  const chunks = Array.fromAsync(gatherEnvelopes(bodyOf(bytes, 5, () => cancelled++)));
  await assert.rejects(chunks, /a message of 4294967295 bytes/);
  assert.equal(cancelled, 1);
});
