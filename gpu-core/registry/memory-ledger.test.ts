import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryLedger } from "./memory-ledger.ts";

const MEGABYTE = 1024 ** 2;
const SIZE = { kind: "fp32 50", fileBytes: 50 * MEGABYTE };

function megabytes(n: number) {
  return { hostBytes: n * MEGABYTE, deviceBytes: n * MEGABYTE };
}

/** Loads of one kind that were measured so; each stays. */
function loaded(...measured: number[]) {
  const ledger = new MemoryLedger();
  const loads = measured.map((each) => {
    const load = ledger.reserve(0, SIZE);
    load.settle(megabytes(each));
    return load;
  });
  return { ledger, loads, expected: ledger.expect(SIZE).deviceBytes / MEGABYTE };
}

test("before the first load a guess is booked, and then what was measured", () => {
  const ledger = new MemoryLedger();
  const load = ledger.reserve(0, SIZE);
  assert.equal(ledger.deviceBytes(0), 166 * MEGABYTE);
  load.settle(megabytes(140));
  assert.equal(ledger.deviceBytes(0), 140 * MEGABYTE);
  assert.equal(ledger.hostBytes, 140 * MEGABYTE);
  load.release();
  load.release();
  assert.equal(ledger.hostBytes, 0);
});

test("a load that reuses what others freed takes as much as they", () => {
  const { ledger, loads } = loaded(150, 0, 0);
  assert.equal(ledger.deviceBytes(0), 450 * MEGABYTE);
  for (const load of loads) load.release();
  assert.equal(ledger.deviceBytes(0), 0);
  assert.equal(loaded(0).expected, 166, "nothing was learned");
});

test("an outlier says nothing, and less than usual is no reason to expect less", () => {
  assert.equal(loaded(150, 2000, 150).expected, 150);
  assert.equal(loaded(2000, 150).expected, 2000);
  assert.equal(loaded(150, 60, 150, 30, 60).expected, 150);
  assert.equal(loaded(2000, 2000, ...Array(7).fill(150)).expected, 150, "they are forgotten");
});
