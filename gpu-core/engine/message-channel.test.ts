import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { MessageReader, openMessageChannel } from "./message-channel.ts";

test("messages and payloads come out as they went in", async () => {
  const [here, there] = duplexPair();
  const received: [unknown, Uint8Array][] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  openMessageChannel<object, object>(there, (message, payload) => {
    if (received.push([message, payload]) === 3) resolve();
  });
  const send = openMessageChannel<object, object>(here, () => {});
  const payload = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
  send({ first: 1 });
  send({ second: "\u00fc" }, payload);
  send({ third: [] }, payload.subarray(7, 9));
  await promise;
  assert.deepEqual(received, [
    [{ first: 1 }, new Uint8Array(0)],
    [{ second: "\u00fc" }, payload],
    [{ third: [] }, payload.slice(7, 9)],
  ]);
  here.destroy();
  there.destroy();
});

test("chunks may be cut anywhere", () => {
  const [here, there] = duplexPair();
  const sent: Buffer[] = [];
  there.on("data", (chunk: Buffer) => sent.push(chunk));
  const send = openMessageChannel<object, object>(here, () => {});
  send({ a: 1 }, new Uint8Array([1, 2, 3]));
  send({ b: 2 });
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    const bytes = Buffer.concat(sent);
    for (let size = 1; size <= bytes.length; size++) {
      const seen: unknown[] = [];
      const reader = new MessageReader<object>((message, payload) =>
        seen.push([message, [...payload]]),
      );
      for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
      assert.deepEqual(seen, [
        [{ a: 1 }, [1, 2, 3]],
        [{ b: 2 }, []],
      ]);
    }
    here.destroy();
    there.destroy();
  });
});

test("a stream out of step is an error, not a huge buffer", () => {
  const reader = new MessageReader<object>(() => {});
  assert.throws(() => reader.push(new Uint8Array(8).fill(0xff)), /out of step/);
});
