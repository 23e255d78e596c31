import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateCrowd } from "./people-served.ts";
import { benchPopularity } from "./popularity.ts";
import { belady, replay } from "./replay.ts";

const SHORT = { warmUpMs: 5000, measuredMs: 10_000 };

test("the same seed gives the same numbers, and nobody's turn fails", async () => {
  const [a, b] = [await simulateCrowd(1, 30, SHORT), await simulateCrowd(1, 30, SHORT)];
  assert.deepEqual(a, b);
  assert.equal(a.failed, 0);
  assert.ok(a.framesPerSecond > 100);
});

test("more people than a GPU can serve wait longer", async () => {
  const [few, many] = [await simulateCrowd(1, 30, SHORT), await simulateCrowd(1, 150, SHORT)];
  assert.ok(many.p99Ms > 10 * few.p99Ms, `${few.p99Ms}, ${many.p99Ms}`);
  assert.ok(many.utilisation > 0.9);
});

test("the registry reaches what a plain cache with its policy does, and never more than Belady's", async () => {
  const cases = (["lru", "lfu"] as const).map((policy) => ({ avatars: 400, room: 80, policy }));
  for (const row of await benchPopularity(cases, 2)) {
    assert.equal(row.failed, 0);
    assert.ok(Number(row["of replay"]) > 0.95, JSON.stringify(row));
    assert.ok(Number(row["hit rate"]) <= Number(row.Belady));
  }
});

test("the replay is a cache: known traces, known misses", () => {
  const trace = [..."abcabdadbc"].map((id, n) => ({ id, atMs: 1000 * n }));
  assert.equal(replay(trace, 3, "lru"), 5);
  assert.equal(belady(trace, 3), 5);
  const loop = [..."abcdabcdabcd"].map((id, n) => ({ id, atMs: 1000 * n }));
  assert.equal(replay(loop, 3, "lru"), 12);
  assert.equal(belady(loop, 3), 6);
});
