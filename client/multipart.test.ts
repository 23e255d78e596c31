import assert from "node:assert/strict";
import { test } from "node:test";
import { type MultipartLimits, multipartBoundary, readMultipart } from "./multipart.ts";
import { PlayerError } from "./player-error.ts";

const part = (body: string, headers = `Content-Length: ${body.length}`) =>
  `--b\r\n${headers}\r\n\r\n${body}\r\n`;

function stream(text: string, chunkBytes = 7): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + chunkBytes));
      at += chunkBytes;
    },
  });
}

async function bodies(text: string, limits?: MultipartLimits, chunkBytes?: number) {
  const read: string[] = [];
  for await (const { body } of readMultipart(stream(text, chunkBytes), "b", limits)) {
    read.push(new TextDecoder().decode(body));
  }
  return read;
}

test("parts come out whole, however the message is cut", async () => {
  const message = `a preamble\r\n${part("one")}${part("")}${part("\r\n--b--\r\n")}--b--\r\n`;
  for (const chunkBytes of [1, 2, 5, 64, 4096]) {
    assert.deepEqual(await bodies(message, {}, chunkBytes), ["one", "", "\r\n--b--\r\n"]);
  }
});

test("headers are read by name, whatever their case", async () => {
  const headers = "FRAME-number:  12 \r\ncontent-length: 2";
  for await (const read of readMultipart(stream(`${part("ab", headers)}--b--`), "b")) {
    assert.equal(read.headers.get("Frame-Number"), "12");
  }
});

test("a message that is malformed, too large or cut off is an error that says so", async () => {
  const cases: [string, RegExp][] = [
    [part("one"), /ended before/],
    [part("one").slice(0, -4), /ended before/],
    [`${part("one", "Content-Type: a/b")}--b--`, /without Content-Length/],
    [`${part("one", "Content-Length: 2")}--b--`, /longer than it says|too long/],
    [`${part("one", "Content-Length: 101")}--b--`, /over 100/],
    [`${part("one", `X: ${"y".repeat(200)}`)}--b--`, /too long/],
    [`${part("one", "no colon")}--b--`, /malformed header/],
    ["x\r\n".repeat(100), /no first boundary/],
  ];
  for (const [message, expected] of cases) {
    await assert.rejects(bodies(message, { maxPartBytes: 100, maxHeaderBytes: 100 }), (error) => {
      assert.ok(error instanceof PlayerError);
      assert.equal(error.code, "broken_stream");
      assert.match(error.message, expected);
      return true;
    });
  }
});

test("leaving the loop cancels the stream", async () => {
  let cancelled = false;
  const source = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode(part("one"))),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const _ of readMultipart(source, "b")) break;
  assert.ok(cancelled);
});

test("the boundary is found in a content type", () => {
  assert.equal(multipartBoundary('multipart/mixed; boundary="a b"'), "a b");
  assert.equal(multipartBoundary("multipart/mixed; charset=x; boundary=frame-1"), "frame-1");
  assert.equal(multipartBoundary("image/jpeg"), null);
  assert.equal(multipartBoundary(null), null);
});
