import assert from "node:assert/strict";
import { test } from "node:test";
import { SoundRing } from "./sound-ring.ts";

function read(ring: SoundRing, count: number): number[] {
  const output = new Float32Array(count);
  ring.read(output);
  return [...output];
}

test("sound is played in its place, and what is missing is silence", () => {
  const ring = new SoundRing(16);
  ring.write(2, Float32Array.of(1, 2));
  ring.write(6, Float32Array.of(3));
  assert.deepEqual(read(ring, 8), [0, 0, 1, 2, 0, 0, 3, 0]);
  assert.equal(ring.position, 8);
});

test("what is late or does not fit is left out, and nothing is played twice", () => {
  const ring = new SoundRing(8);
  read(ring, 4);
  ring.write(2, Float32Array.of(1, 2, 3));
  ring.write(11, Float32Array.of(4, 5));
  assert.deepEqual(read(ring, 8), [3, 0, 0, 0, 0, 0, 0, 4]);
  assert.deepEqual(read(ring, 8), [0, 0, 0, 0, 0, 0, 0, 0]);
});

test("forwards, what lies between is forgotten", () => {
  const ring = new SoundRing(8);
  ring.write(0, Float32Array.of(1, 2, 3, 4, 5));
  ring.moveTo(3);
  assert.deepEqual(read(ring, 8), [4, 5, 0, 0, 0, 0, 0, 0]);
  ring.write(11, Float32Array.of(6, 7));
  ring.moveTo(500);
  assert.deepEqual(read(ring, 8), [0, 0, 0, 0, 0, 0, 0, 0]);
});

test("backwards, what is still to come stays, and what was furthest ahead has no room", () => {
  const ring = new SoundRing(8);
  read(ring, 4);
  ring.write(4, Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  ring.moveTo(1);
  assert.deepEqual(read(ring, 8), [0, 0, 0, 1, 2, 3, 4, 5]);
  ring.write(9, Float32Array.of(9));
  ring.moveTo(-100);
  assert.deepEqual(read(ring, 8), [0, 0, 0, 0, 0, 0, 0, 0]);
});

test("an interruption falls silent without a step", () => {
  const ring = new SoundRing(16);
  ring.write(0, new Float32Array(12).fill(1));
  ring.fade(4);
  assert.deepEqual(read(ring, 12), [1, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0, 0, 0, 0]);
});
