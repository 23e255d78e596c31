import assert from "node:assert/strict";
import { test } from "node:test";
import { CAVLC_CODES } from "./cavlc-tables.ts";

/** What the codes leave unused of all sequences of bits, after checking that none begins another. */
function unused(codes: readonly string[]): number {
  for (const [n, code] of codes.entries()) {
    for (const [m, other] of codes.entries()) {
      assert.ok(n === m || !other.startsWith(code), `${code} begins ${other}`);
    }
  }
  return 1 - codes.reduce((sum, code) => sum + 2 ** -code.length, 0);
}

test("no coeff_token begins another, and the tables leave out what the standard leaves out", () => {
  const rests = CAVLC_CODES.coeffTokens.map((rows) => unused(rows.flat()));
  assert.deepEqual(rests, [2 ** -15, 2 ** -13, 2 ** -10, 0]);
  for (const rows of CAVLC_CODES.coeffTokens) {
    for (const [total, row] of rows.entries()) assert.equal(row.length, Math.min(total, 3) + 1);
  }
});

test("total_zeros and run_before cover what can occur", () => {
  for (const [n, codes] of CAVLC_CODES.totalZeros.entries()) {
    assert.equal(codes.length, 16 - n);
    assert.equal(unused(codes), n === 0 ? 2 ** -9 : 0);
  }
  for (const [n, codes] of CAVLC_CODES.totalZerosChromaDc.entries()) {
    assert.equal(codes.length, 4 - n);
    assert.equal(unused(codes), 0);
  }
  for (const [n, codes] of CAVLC_CODES.runs.entries()) {
    assert.equal(codes.length, n < 6 ? n + 2 : 15);
    assert.equal(unused(codes), n < 6 ? 0 : 2 ** -11);
  }
});

test("every coded_block_pattern has one codeNum", () => {
  const all = Array.from({ length: 48 }, (_, n) => n);
  const sorted = (patterns: readonly number[]) => patterns.toSorted((a, b) => a - b);
  assert.deepEqual(sorted(CAVLC_CODES.intraPatterns), all);
  assert.deepEqual(sorted(CAVLC_CODES.interPatterns), all);
});
