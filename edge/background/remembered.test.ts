import assert from "node:assert/strict";
import { test } from "node:test";
import { FREE_SHARING } from "../parts.ts";
import { Remembered } from "./remembered.ts";

const PASSING = new Error("the store is down");
const FINAL = new Error("it was removed");

/** A value whose loads are settled by hand, on a clock that is moved by hand. */
function remember(sharing = FREE_SHARING) {
  let nowMs = 0;
  const loads: PromiseWithResolvers<string>[] = [];
  const stale: unknown[] = [];
  const value = new Remembered(
    () => {
      const load = Promise.withResolvers<string>();
      loads.push(load);
      return load.promise;
    },
    {
      now: () => nowMs,
      sharing,
      freshMs: 2000,
      waitMs: 30,
      isPassing: (error) => error === PASSING,
      onStale: (error) => stale.push(error),
    },
  );
  return { value, loads, stale, at: (ms: number) => (nowMs = ms) };
}

async function known() {
  const remembered = remember();
  const first = remembered.value.get();
  remembered.loads[0]!.resolve("old");
  assert.equal(await first, "old");
  return remembered;
}

test("is loaded once for all who ask, kept while fresh, then loaded anew", async () => {
  const { value, loads, at } = remember();
  const both = Promise.all([value.get(), value.get()]);
  assert.equal(loads.length, 1);
  loads[0]!.resolve("old");
  assert.deepEqual(await both, ["old", "old"]);
  at(1999);
  assert.equal(await value.get(), "old");
  assert.equal(loads.length, 1);
  at(2000);
  const next = value.get();
  loads[1]!.resolve("new");
  assert.equal(await next, "new");
});

test("while the source fails the last value goes on, and is asked for again after a while", async () => {
  const { value, loads, stale, at } = await known();
  at(2000);
  const next = value.get();
  loads[1]!.reject(PASSING);
  assert.equal(await next, "old");
  assert.deepEqual(stale, [PASSING]);
  at(3999);
  assert.equal(await value.get(), "old");
  assert.equal(loads.length, 2);
  at(4000);
  const again = value.get();
  loads[2]!.resolve("new");
  assert.equal(await again, "new");
});

test("a source that is slow holds up one moment, not each who asks", async () => {
  const { value, loads, at } = await known();
  at(2000);
  assert.equal(await value.get(), "old");
  at(2030);
  assert.equal(await value.get(), "old");
  assert.equal(loads.length, 2);
  loads[1]!.resolve("new");
  await loads[1]!.promise;
  await Promise.resolve();
  assert.equal(await value.get(), "new");
});

test("a final error is told, and the value is gone", async () => {
  const { value, loads, at } = await known();
  at(2000);
  const next = value.get();
  loads[1]!.reject(FINAL);
  await assert.rejects(next, FINAL);
  const again = value.get();
  loads[2]!.reject(PASSING);
  await assert.rejects(again, PASSING);
});

test("a first load that ended with its request is begun again by who waits", async () => {
  const { value, loads } = remember({ keepAlive() {}, patienceMs: 20 });
  const lost = value.get();
  const second = value.get();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.ok(loads.length >= 2);
  for (const load of loads.slice(1)) load.resolve("there");
  assert.deepEqual(await Promise.all([lost, second]), ["there", "there"]);
});
