import assert from "node:assert/strict";
import test from "node:test";
import { readAhead } from "./read-ahead.ts";

const NEVER = new AbortController().signal;

test("the source is taken in while nobody reads on", async () => {
  let made = 0;
  async function* source() {
    for (; made < 5; made++) yield made;
  }
  const reader = readAhead(source(), NEVER);
  assert.deepEqual(await reader.next(), { done: false, value: 0 });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(made, 5);
  assert.deepEqual(await Array.fromAsync(reader), [1, 2, 3, 4]);
});

test("an error of the source comes after what came before it", async () => {
  async function* source() {
    yield 1;
    yield 2;
    throw new Error("cut off");
  }
  const got: number[] = [];
  await assert.rejects(async () => {
    for await (const item of readAhead(source(), NEVER)) got.push(item);
  }, /cut off/);
  assert.deepEqual(got, [1, 2]);
});

test("a source that has fallen silent does not hold up who leaves", async () => {
  const leaving = new AbortController();
  async function* silent() {
    yield 1;
    await new Promise(() => {});
  }
  const reader = readAhead(silent(), leaving.signal);
  await reader.next();
  const waiting = reader.next();
  leaving.abort(new Error("gone"));
  await assert.rejects(waiting, /gone/);
  assert.equal((await reader.next()).done, true);
});
