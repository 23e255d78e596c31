import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "../avatar-error.ts";
import { createR2Store, type R2Binding } from "./r2-store.ts";

const BYTES = Uint8Array.from({ length: 100 }, (_, n) => n);
/** As R2 says that nothing of an object lies in the range. */
const NO_RANGE = new Error("get: The requested range is not satisfiable (10039)");
const BUSY = new Error("get: We encountered an internal error. Please try again. (10001)");

type Found = Awaited<ReturnType<R2Binding["get"]>>;
type Listed = Awaited<ReturnType<R2Binding["list"]>>;

function object(bytes: Uint8Array, size = bytes.length): Found {
  return { size, arrayBuffer: async () => new Uint8Array(bytes).buffer };
}

/** A bucket that gives these answers in turn, the last one for good. */
function scripted(answers: readonly (Found | Listed | Error)[]) {
  const calls: unknown[][] = [];
  const delays: number[] = [];
  const next = async (...call: unknown[]) => {
    const answer = answers[Math.min(calls.length, answers.length - 1)]!;
    calls.push(call);
    if (answer instanceof Error) throw answer;
    return answer as never;
  };
  const store = createR2Store({
    bucket: { get: next, list: next },
    prefix: "some/where/",
    random: () => 0.5,
    sleep: async (ms) => void delays.push(ms),
  });
  return { store, calls, delays };
}

const unavailable = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AvatarError, String(error));
  assert.equal(error.code, "store_unavailable");
  assert.match(error.message, message);
  return true;
};

test("objects and ranges, with the prefix before every key", async () => {
  const { store, calls } = scripted([object(BYTES), object(BYTES.slice(5, 9))]);
  assert.deepEqual(await store.read("a/b"), BYTES);
  assert.deepEqual(await store.read("a/b", { range: { start: 5, end: 9 } }), BYTES.slice(5, 9));
  assert.deepEqual(calls, [
    ["some/where/a/b"],
    ["some/where/a/b", { range: { offset: 5, length: 4 } }],
  ]);
});

test("absence is null; a range beyond the end, or of nothing, is no bytes, as in a folder", async () => {
  assert.equal(await scripted([null]).store.read("a"), null);
  const { store, calls } = scripted([NO_RANGE]);
  assert.equal((await store.read("a", { range: { start: 500, end: 600 } }))?.length, 0);
  assert.equal((await store.read("a", { range: { start: 5, end: 5 } }))?.length, 0);
  assert.equal(calls.length, 1);
});

test("what fails is tried again after a while, and then told", async () => {
  const busy = scripted([BUSY, BUSY, object(BYTES)]);
  assert.deepEqual(await busy.store.read("a"), BYTES);
  assert.deepEqual(busy.delays, [50, 100]);
  const down = scripted([BUSY]);
  await assert.rejects(
    down.store.read("a"),
    unavailable(/cannot read a: R2 says .*10001.*3 times/),
  );
  assert.equal(down.calls.length, 3);
  await assert.rejects(down.store.list("a/"), unavailable(/cannot list a\//));
});

test("a body that breaks off is read again", async () => {
  const broken: Found = {
    size: 100,
    arrayBuffer: () => Promise.reject(new Error("network connection lost")),
  };
  const { store, calls } = scripted([broken, object(BYTES)]);
  assert.deepEqual(await store.read("a"), BYTES);
  assert.equal(calls.length, 2);
});

test("nobody's memory is filled by an object of any size, and it is not asked for again", async () => {
  let isRead = false;
  const huge: Found = {
    size: 1e12,
    async arrayBuffer() {
      isRead = true;
      return new ArrayBuffer(0);
    },
  };
  const { store, calls } = scripted([huge]);
  await assert.rejects(store.read("a"), unavailable(/1000000000000 bytes/));
  assert.equal(isRead, false);
  assert.equal(calls.length, 1);
});

test("who has gone is not worked for any more", async () => {
  const { store, calls } = scripted([BUSY]);
  const leaving = AbortSignal.abort(new Error("gone"));
  await assert.rejects(store.read("a", { signal: leaving }), { message: "gone" });
  assert.equal(calls.length, 0);
});

test("a list of any length, folders and objects alike, and none without an end", async () => {
  const page = (names: string[], cursor?: string): Listed => ({
    objects: names.filter((name) => !name.endsWith("/")).map((key) => ({ key })),
    delimitedPrefixes: names.filter((name) => name.endsWith("/")),
    truncated: cursor !== undefined,
    ...(cursor !== undefined && { cursor }),
  });
  const below = "some/where/avatars/";
  const { store, calls } = scripted([
    page([`${below}cleo/`, `${below}ada/`], "1"),
    page([`${below}notes.txt`, below]),
  ]);
  assert.deepEqual(await store.list("avatars/"), ["ada", "cleo", "notes.txt"]);
  assert.deepEqual(calls[1], [{ prefix: below, delimiter: "/", cursor: "1" }]);
  const endless = scripted([page([`${below}ada/`], "again")]);
  await assert.rejects(endless.store.list("avatars/"), unavailable(/does not end/));
});
