import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteBudget } from "./byte-budget.ts";

test("what is taken is missing until it is given back, or has lapsed", () => {
  let nowMs = 0;
  const budget = new ByteBudget(100, () => nowMs, 1000);
  const first = budget.take(60);
  nowMs = 500;
  const second = budget.take(60);
  assert.equal(budget.room, 0);
  first();
  first();
  assert.equal(budget.room, 40);
  nowMs = 1501;
  assert.equal(budget.room, 100);
  second();
  assert.equal(budget.room, 100);
});
