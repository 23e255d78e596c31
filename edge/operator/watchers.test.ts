import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../avatar/clock.ts";
import { RequestError } from "../http/request-error.ts";
import type { OperatorSnapshot } from "./snapshot.ts";
import { MAX_WATCHERS, Watchers } from "./watchers.ts";

function opened() {
  const clock = new VirtualClock();
  let taken = 0;
  const take = async () => ({ time: String(++taken) }) as OperatorSnapshot;
  return { clock, watchers: new Watchers({ take, clock }), taken: () => taken };
}

const textOf = (value: Uint8Array | undefined) => new TextDecoder().decode(value);

test("a snapshot at once, and another each second", async () => {
  const { clock, watchers, taken } = opened();
  const reader = watchers.watch().getReader();
  assert.equal(textOf((await reader.read()).value), 'event: snapshot\ndata: {"time":"1"}\n\n');
  const second = reader.read();
  await clock.advanceBy(999);
  assert.equal(taken(), 1);
  await clock.advanceBy(1);
  assert.match(textOf((await second).value), /"time":"2"/);
});

test("who reads slowly gets fewer of them", async () => {
  const { clock, watchers, taken } = opened();
  const reader = watchers.watch().getReader();
  await reader.read();
  await clock.advanceBy(10_000);
  assert.equal(taken(), 1);
  await reader.read();
  assert.equal(taken(), 2);
});

test("a fifth one is sent away until somebody leaves", async () => {
  const { watchers } = opened();
  const streams = Array.from({ length: MAX_WATCHERS }, () => watchers.watch());
  assert.throws(
    () => watchers.watch(),
    (error) => error instanceof RequestError && error.status === 429 && error.retryAfterS === 10,
  );
  await streams[0]!.cancel();
  assert.equal(watchers.count, MAX_WATCHERS - 1);
  watchers.watch();
});

test("who leaves in the middle of a wait leaves nothing behind", async () => {
  const { clock, watchers, taken } = opened();
  const reader = watchers.watch().getReader();
  await reader.read();
  const next = reader.read();
  await clock.advanceBy(100);
  await reader.cancel();
  assert.equal((await next).done, true);
  await clock.advanceBy(5000);
  assert.equal(taken(), 1);
  assert.equal(watchers.count, 0);
});

test("one that takes nothing any more holds no place", async () => {
  const { clock, watchers } = opened();
  for (let n = 0; n < MAX_WATCHERS; n++) watchers.watch();
  await clock.advanceBy(31_000);
  watchers.watch();
  assert.equal(watchers.count, 1);
});

test("the edge stops, and they end", async () => {
  const { watchers } = opened();
  const reader = watchers.watch().getReader();
  await reader.read();
  const next = reader.read();
  watchers.stop();
  assert.equal((await next).done, true);
  assert.equal((await watchers.watch().getReader().read()).done, true);
});
