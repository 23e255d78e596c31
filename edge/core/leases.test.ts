import assert from "node:assert/strict";
import { test } from "node:test";
import { Leases } from "./leases.ts";

test("counts what lives: ended and lapsed ones no more, touched ones longer", () => {
  let now = 0;
  const leases = new Leases(() => now, 100);
  const [first, second, third] = [leases.begin(), leases.begin(), leases.begin()];
  assert.equal(leases.count, 3);
  second.end();
  assert.equal(leases.count, 2);
  now = 90;
  first.touch();
  now = 101;
  assert.equal(leases.count, 1);
  now = 191;
  assert.equal(leases.count, 0);
  third.touch();
  assert.equal(leases.count, 1);
  third.end();
  third.touch();
  assert.equal(leases.count, 0);
});
