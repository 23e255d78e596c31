import assert from "node:assert/strict";
import { test } from "node:test";
import type { OperatorSnapshot } from "../../../edge/operator/snapshot.ts";
import { History } from "./history.ts";

function snapshot(
  atS: number,
  sessions: { id: string; shownFrames: number; isSpeaking?: boolean }[],
  utterances = 0,
) {
  return {
    time: new Date(1000 * atS).toISOString(),
    speaking: { count: utterances },
    live: { sessions },
  } as unknown as OperatorSnapshot;
}

test("frames per second count what sessions have shown since the last snapshot", () => {
  const history = new History();
  history.add(
    snapshot(0, [
      { id: "a", shownFrames: 100 },
      { id: "b", shownFrames: 900 },
    ]),
  );
  assert.deepEqual(history.framesPerSecond, []);
  // b has ended, c is new.
  history.add(
    snapshot(2, [
      { id: "a", shownFrames: 150 },
      { id: "c", shownFrames: 10 },
    ]),
  );
  assert.deepEqual(history.framesPerSecond, [30]);
});

test("utterances and live sessions speak alike", () => {
  const history = new History();
  history.add(snapshot(0, [{ id: "a", shownFrames: 0, isSpeaking: true }], 3));
  assert.deepEqual(history.speaking, [4]);
});

test("a minute is kept, and a pause begins anew", () => {
  const history = new History();
  for (let n = 0; n < 200; n++) history.add(snapshot(n, [{ id: "a", shownFrames: 25 * n }]));
  assert.equal(history.speaking.length, 61);
  assert.deepEqual(new Set(history.framesPerSecond), new Set([25]));
  history.add(snapshot(300, [{ id: "a", shownFrames: 9000 }]));
  assert.equal(history.speaking.length, 1);
  assert.equal(history.framesPerSecond.length, 0);
});
