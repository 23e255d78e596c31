import assert from "node:assert/strict";
import { test } from "node:test";
import { type MultipartOptions, multipartStream, type Part } from "./multipart.ts";

const part = (text: string): Part => ({
  headers: { "Content-Type": "text/plain" },
  body: [text.slice(0, 1), text.slice(1)].map((piece) => new TextEncoder().encode(piece)),
});
const options: MultipartOptions = {
  boundary: "b",
  lastPart: (error) => part(`failed: ${String(error)}`),
  onCancel: () => {},
};

test("parts, lengths and the end are as RFC 2046 has them", async () => {
  async function* parts() {
    yield part("one");
    yield part("");
  }
  const text = await new Response(multipartStream(parts(), options)).text();
  assert.equal(
    text,
    "--b\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\none\r\n" +
      "--b\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n\r\n--b--\r\n",
  );
});

test("a failure midway becomes the last part", async () => {
  async function* parts() {
    yield part("one");
    throw new Error("broken");
  }
  const text = await new Response(multipartStream(parts(), options)).text();
  assert.match(text, /one\r\n--b\r\n.*failed: Error: broken\r\n--b--\r\n$/s);
});

test("nothing is made ahead of a reader that stands still, and leaving ends the parts", async () => {
  let made = 0;
  let ended = false;
  async function* parts() {
    try {
      for (;;) yield part(String(made++));
    } finally {
      ended = true;
    }
  }
  const reader = multipartStream(parts(), options).getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(made <= 2, `${made} parts were made`);
  await reader.cancel();
  assert.ok(ended);
});

test("leaving tells whoever makes the part under way, and is not a failure", async () => {
  const leaving = new AbortController();
  let reported = false;
  async function* parts() {
    yield part("one");
    await new Promise((_, reject) => {
      leaving.signal.addEventListener("abort", () => reject(leaving.signal.reason));
    });
  }
  const reader = multipartStream(parts(), {
    boundary: "b",
    lastPart: (error) => {
      reported = true;
      return part(String(error));
    },
    onCancel: () => leaving.abort(),
  }).getReader();
  for (let chunks = 0; chunks < 3; chunks++) await reader.read();
  await new Promise((resolve) => setImmediate(resolve));
  await reader.cancel();
  assert.ok(leaving.signal.aborted);
  assert.equal(reported, false);
});
