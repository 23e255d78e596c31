import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { EventQueue } from "./event-queue.ts";

test("events in order, those that wait before the end", async () => {
  const queue = new EventQueue<number>();
  queue.push(1);
  const read = Array.fromAsync(queue);
  await new Promise((resolve) => setImmediate(resolve));
  queue.push(2);
  queue.push(3);
  queue.end();
  queue.push(4);
  assert.deepEqual(await read, [1, 2, 3]);
  assert.equal(queue.isOpen, false);
});

test("a failure does not wait", async () => {
  const queue = new EventQueue<number>();
  queue.push(1);
  queue.fail(new ConnectError("no", Code.Aborted));
  await assert.rejects(
    Array.fromAsync(queue),
    (error) => ConnectError.from(error).code === Code.Aborted,
  );
});

test("who takes nothing loses his call", async () => {
  const queue = new EventQueue<number>();
  for (let n = 0; n < 513; n++) queue.push(n);
  assert.equal(queue.isOpen, false);
  await assert.rejects(
    Array.fromAsync(queue),
    (error) => ConnectError.from(error).code === Code.ResourceExhausted,
  );
});
