import assert from "node:assert/strict";
import { test } from "node:test";
import { SpareTime } from "./spare-time.ts";

test("what could lately have been shown sooner, whenever it came", () => {
  const spare = new SpareTime();
  for (let n = 0; n < 11; n++) spare.observe(n, 5);
  assert.equal(spare.frames, 0, "not known yet");
  spare.observe(10, 1);
  assert.equal(spare.frames, 0, "nothing new was decided");
  spare.observe(11, 3);
  assert.equal(spare.frames, 3);
  for (let n = 12; n < 24; n++) spare.observe(n, 4);
  assert.equal(spare.frames, 3, "of the stretch before, too");
  spare.observe(24, 4);
  assert.equal(spare.frames, 4, "what is longer ago is forgotten");
  spare.observe(25, -1);
  assert.equal(spare.frames, 0, "something was late");
});
