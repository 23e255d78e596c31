import assert from "node:assert/strict";
import { test } from "node:test";
import { RateControl } from "./rate-control.ts";

/** What a frame of some difficulty costs at a quantiser. */
const cost = (difficulty: number, qp: number, isIntra: boolean) =>
  Math.round((difficulty * (isIntra ? 5 : 1)) / 2 ** (qp / 6));

/** @returns kbit/s of the frames from `from` on */
function run(control: RateControl, difficulties: readonly number[], from: number): number {
  let bits = 0;
  for (const [n, difficulty] of difficulties.entries()) {
    const isIntra = n % 100 === 0;
    const spent = cost(difficulty, control.choose(isIntra), isIntra);
    control.record(spent, isIntra);
    if (n >= from) bits += spent;
  }
  return (bits * 25) / (difficulties.length - from) / 1000;
}

test("the rate comes to the target and stays there", () => {
  for (const target of [60, 200, 500]) {
    const control = new RateControl(30, 25, { kilobitsPerSecond: target, minQp: 10, maxQp: 45 });
    const rate = run(control, new Array<number>(500).fill(300_000), 50);
    assert.ok(Math.abs(rate - target) < 0.15 * target, `${rate} for ${target}`);
  }
});

test("a harder mouth gets a coarser quantiser, not more bits", () => {
  const control = new RateControl(30, 25, { kilobitsPerSecond: 200, minQp: 10, maxQp: 45 });
  const frames = Array.from({ length: 500 }, (_, n) => (n < 250 ? 150_000 : 600_000));
  const rate = run(control, frames, 275);
  assert.ok(Math.abs(rate - 200) < 40, `${rate}`);
});

test("the quantiser stays within its bounds and moves slowly", () => {
  const control = new RateControl(30, 25, { kilobitsPerSecond: 1, minQp: 20, maxQp: 38 });
  let before = 30;
  for (let n = 0; n < 100; n++) {
    const qp = control.choose(false);
    assert.ok(qp >= 20 && qp <= 38 && Math.abs(qp - before) <= 2);
    before = qp;
    control.record(50_000, false);
  }
  assert.equal(before, 38);
});

test("without a target the quantiser is what it was set to", () => {
  const control = new RateControl(28, 25, { kilobitsPerSecond: null, minQp: 10, maxQp: 45 });
  for (let n = 0; n < 20; n++) {
    assert.equal(control.choose(false), 28);
    control.record(100_000, false);
  }
  control.setQp(33);
  assert.equal(control.choose(false), 33);
});
