import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { EnergyGate, loudness } from "./energy-gate.ts";

const PIECE = 320;
const tone = (amplitude: number) =>
  Int16Array.from({ length: PIECE }, (_, n) => Math.round(32_768 * amplitude * Math.sin(n / 3)));

/** How many pieces get through of so many of the same, and how often it closes. */
function hear(gate: EnergyGate, piece: Int16Array, count: number, isGuarded = false) {
  let [passed, closed] = [0, 0];
  for (let n = 0; n < count; n++) {
    const { pieces, hasClosed } = gate.hear(piece, isGuarded);
    passed += pieces.length;
    if (hasClosed) closed++;
  }
  return { passed, closed };
}

test("loudness is the root mean square of full scale", () => {
  assert.ok(Math.abs(loudness(tone(0.5)) - 0.5 / Math.SQRT2) < 0.01);
  assert.equal(loudness(new Int16Array(0)), 0);
});

test("silence does not open it; speech does, with what came before; silence closes it once", () => {
  const gate = new EnergyGate();
  assert.deepEqual(hear(gate, tone(0.001), 100), { passed: 0, closed: 0 });
  // The first piece, and the eleven before it.
  assert.deepEqual(hear(gate, tone(0.1), 10), { passed: 21, closed: 0 });
  // A pause within a sentence.
  assert.deepEqual(hear(gate, tone(0.001), 20), { passed: 20, closed: 0 });
  assert.deepEqual(hear(gate, tone(0.1), 5), { passed: 5, closed: 0 });
  assert.deepEqual(hear(gate, tone(0.001), 100), { passed: 30, closed: 1 });
  assert.equal(gate.isOpen, false);
});

test("a noisy room is learnt: its noise ends a segment, and speech above it opens one", () => {
  const gate = new EnergyGate();
  const noise = tone(0.012);
  hear(gate, noise, 1500);
  assert.equal(gate.isOpen, false);
  assert.equal(hear(gate, noise, 500).passed, 0);
  assert.ok(hear(gate, tone(0.2), 10).passed >= 10);
});

test("while the avatar is heard, what is left of its voice does not open it; a loud word does", () => {
  const gate = new EnergyGate();
  hear(gate, tone(0.001), 50);
  assert.equal(hear(gate, tone(0.02), 50, true).passed, 0);
  assert.ok(hear(gate, tone(0.2), 1, true).passed > 0);
});

test("of real speech it lets the loud part through whole", async () => {
  const wav = await readFile(new URL("../../avatar/demo/sample.wav", import.meta.url));
  const samples = new Int16Array(
    wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + wav.length - ((wav.length - 44) % 2)),
  );
  const gate = new EnergyGate();
  let [loud, passedLoud] = [0, 0];
  for (let at = 0; at + PIECE <= samples.length; at += PIECE) {
    const piece = samples.subarray(at, at + PIECE);
    const { pieces } = gate.hear(piece);
    if (loudness(piece) < 0.02) continue;
    loud++;
    if (pieces.includes(piece)) passedLoud++;
  }
  assert.ok(loud > 50, `${loud} loud pieces`);
  assert.equal(passedLoud, loud);
});
