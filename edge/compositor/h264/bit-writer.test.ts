import assert from "node:assert/strict";
import { test } from "node:test";
import { BitReader } from "../../../test/support/bit-reader.ts";
import { BitWriter } from "./bit-writer.ts";

function bitsOf(write: (bits: BitWriter) => void): string {
  const bits = new BitWriter();
  write(bits);
  return [...bits.bytes()]
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("")
    .slice(0, bits.length);
}

test("Exp-Golomb codes are those of Table 9-2", () => {
  const codes = ["1", "010", "011", "00100", "00101", "00110", "00111", "0001000", "0001001"];
  for (const [value, code] of codes.entries()) {
    assert.equal(
      bitsOf((bits) => bits.ue(value)),
      code,
    );
  }
});

test("signed ones alternate, as in Table 9-3", () => {
  for (const [code, value] of [0, 1, -1, 2, -2, 3, -3].entries()) {
    assert.equal(
      bitsOf((bits) => bits.se(value)),
      bitsOf((bits) => bits.ue(code)),
    );
  }
});

test("large numbers come back", () => {
  const bits = new BitWriter();
  const numbers = [0, 1, 254, 255, 65_534, 139_264, 2 ** 30];
  for (const number of numbers) bits.ue(number);
  const reader = new BitReader(bits.end());
  for (const number of numbers) assert.equal(reader.ue(), number);
  assert.equal(reader.bit(), 1);
});

test("trailing bits end a byte", () => {
  const bits = new BitWriter();
  bits.put(5, 3);
  assert.deepEqual([...bits.end()], [0b10110000]);
  const whole = new BitWriter();
  whole.put(255, 8);
  assert.deepEqual([...whole.end()], [255, 0x80]);
});
