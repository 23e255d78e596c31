import assert from "node:assert/strict";
import { test } from "node:test";
import { tap } from "./tap.ts";

async function* count(to: number, failure?: Error): AsyncGenerator<number> {
  for (let n = 0; n < to; n++) yield n;
  if (failure) throw failure;
}

const all = async (source: AsyncIterable<number>) => {
  const items: number[] = [];
  for await (const item of source) items.push(item);
  return items;
};

test("both readers get everything, whoever asks first", async () => {
  const { main, copy } = tap(count(5));
  const copied = all(copy);
  assert.deepEqual(await all(main), [0, 1, 2, 3, 4]);
  assert.deepEqual(await copied, [0, 1, 2, 3, 4]);
});

test("the source is read at the pace of the main reader alone", async () => {
  let asked = 0;
  const { main, copy } = tap(
    (async function* () {
      for (;;) yield asked++;
    })(),
  );
  const first = copy.next();
  await main.next();
  await main.next();
  assert.equal((await first).value, 0);
  assert.equal((await copy.next()).value, 1);
  assert.equal(asked, 2);
  await main.return(undefined);
  assert.equal((await copy.next()).done, true);
});

test("a source that fails fails both", async () => {
  const failure = new Error("gone");
  const { main, copy } = tap(count(2, failure));
  const copied = assert.rejects(all(copy), failure);
  await assert.rejects(all(main), failure);
  await copied;
});

test("nothing is kept for a copy that has been returned", async () => {
  const { main, copy } = tap(count(3));
  await copy.return(undefined);
  assert.deepEqual(await all(main), [0, 1, 2]);
});
