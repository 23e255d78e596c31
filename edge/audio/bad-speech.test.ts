import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeSpeech } from "./decode-audio.ts";

/** A mono WAV of 32-bit floats at 48 kHz. */
function floatWav(samples: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(44 + 4 * samples.length);
  bytes.write("RIFF\0\0\0\0WAVEfmt ", "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(3, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(48_000, 24);
  bytes.writeUInt32LE(192_000, 28);
  bytes.writeUInt16LE(4, 32);
  bytes.writeUInt16LE(32, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(4 * samples.length, 40);
  for (const [n, value] of samples.entries()) bytes.writeFloatLE(value, 44 + 4 * n);
  return bytes;
}

async function decode(bytes: Uint8Array, type = "audio/wav"): Promise<number[]> {
  const all: number[] = [];
  async function* body() {
    yield bytes;
  }
  for await (const samples of decodeSpeech(body(), type, {})) all.push(...samples);
  return all;
}

test("samples that are no numbers are refused", async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    await assert.rejects(decode(floatWav([0, 0.5, value, 0])), { code: "not_finite" });
  }
});

test("samples beyond full scale are limited, not wrapped", async () => {
  const loud = await decode(floatWav(new Array<number>(3000).fill(1e30)));
  assert.equal(loud[500], 32_767);
  const low = await decode(floatWav(new Array<number>(3000).fill(-7)));
  assert.equal(low[500], -32_768);
});

test("a channel count that is none is refused", async () => {
  for (const channels of ["abc", "1.5", "0", "-1", "", "33", "1e9"]) {
    const type = `audio/l16;rate=16000;channels=${channels}`;
    await assert.rejects(decode(new Uint8Array(64), type), { code: "bad_header" }, type);
  }
  const stereo = Buffer.alloc(8);
  for (const [n, value] of [100, 300, -100, -300].entries()) stereo.writeInt16LE(value, 2 * n);
  assert.deepEqual(await decode(stereo, "audio/l16;rate=16000;channels=2"), [200, -200]);
});

test("other formats are named", async () => {
  const cases: [string, RegExp][] = [
    ["ID3\u0004 and an MP3 after it", /MP3/],
    ["\u00ff\u00fb\u0090\u0064 frames of MP3", /MP3/],
    ["OggS\0 and more of it", /Ogg/],
    ["\0\0\0\u0020ftypM4A and more", /M4A/],
    ["fLaC and more of it", /FLAC/],
    ["<!doctype html><html>", /not a WAV/],
  ];
  for (const [start, message] of cases) {
    await assert.rejects(decode(Buffer.from(start, "latin1")), { code: "not_wav", message });
  }
});

test("the first samples come before the body has arrived", async () => {
  const bytes = floatWav(new Array<number>(48_000).fill(0.25));
  let sent = 0;
  async function* body() {
    for (let from = 0; from < bytes.length; from += 4800) {
      sent++;
      yield bytes.subarray(from, from + 4800);
    }
  }
  for await (const samples of decodeSpeech(body(), "audio/wav", {})) {
    assert.ok(samples.length > 0);
    break;
  }
  assert.ok(sent <= 2, `${sent} pieces were needed`);
});
