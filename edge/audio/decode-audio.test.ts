import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeSpeech } from "./decode-audio.ts";

interface Layout {
  readonly rate: number;
  readonly channels: number;
  readonly bits: number;
  readonly isFloat?: boolean;
  readonly isExtensible?: boolean;
  /** Chunks before and between. */
  readonly junk?: boolean;
  readonly dataSize?: number;
}

const HZ = 440;
const AMPLITUDE = 0.5;
const at = (time: number, hz = HZ) => AMPLITUDE * Math.sin(2 * Math.PI * hz * time);

/** A sine in any layout. */
function wav(layout: Layout, seconds = 0.5, hz = HZ): Uint8Array {
  const { rate, channels, bits, isFloat = false, isExtensible = false, junk = false } = layout;
  const samples = Math.round(seconds * rate);
  const data = Buffer.alloc((samples * channels * bits) / 8);
  for (let n = 0, offset = 0; n < samples; n++) {
    for (let c = 0; c < channels; c++, offset += bits / 8) {
      // The channels differ, and their mean is the sine.
      const value = at(n / rate, hz) + (channels === 2 ? (c === 0 ? 0.2 : -0.2) : 0);
      if (isFloat && bits === 32) data.writeFloatLE(value, offset);
      else if (isFloat) data.writeDoubleLE(value, offset);
      else if (bits === 8) data.writeUInt8(Math.round(128 + 127 * value), offset);
      else data.writeIntLE(Math.round(value * (2 ** (bits - 1) - 1)), offset, bits / 8);
    }
  }
  const fmt = Buffer.alloc(isExtensible ? 40 : 16);
  const tag = isFloat ? 3 : 1;
  fmt.writeUInt16LE(isExtensible ? 0xfffe : tag, 0);
  fmt.writeUInt16LE(channels, 2);
  fmt.writeUInt32LE(rate, 4);
  fmt.writeUInt32LE((rate * channels * bits) / 8, 8);
  fmt.writeUInt16LE((channels * bits) / 8, 12);
  fmt.writeUInt16LE(bits, 14);
  if (isExtensible) {
    fmt.writeUInt16LE(22, 16);
    fmt.writeUInt16LE(bits, 18);
    fmt.writeUInt16LE(tag, 24);
  }
  const chunk = (id: string, body: Buffer, size = body.length) => {
    const head = Buffer.from(`${id}\0\0\0\0`, "latin1");
    head.writeUInt32LE(size, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
  };
  const oddJunk = junk
    ? [chunk("JUNK", Buffer.alloc(33, 7)), chunk("LIST", Buffer.alloc(26, 9))]
    : [];
  const dataChunk = chunk("data", data, layout.dataSize ?? data.length);
  const tail = junk ? [chunk("LIST", Buffer.alloc(51, 3))] : [];
  return Buffer.concat([
    Buffer.from("RIFF\0\0\0\0WAVE", "latin1"),
    ...oddJunk,
    chunk("fmt ", fmt),
    ...oddJunk,
    dataChunk,
    ...tail,
  ]);
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function decode(bytes: Uint8Array, type = "audio/wav", size = 8191, maxSamples = 1e7) {
  const all: number[] = [];
  for await (const samples of decodeSpeech(pieces(bytes, size), type, { maxSamples })) {
    all.push(...samples);
  }
  return Int16Array.from(all);
}

/** Signal to noise in dB against the sine, away from the ends. */
function quality(samples: Int16Array): number {
  let signal = 0;
  let noise = 0;
  for (let n = 800; n < samples.length - 800; n++) {
    const expected = at(n / 16_000);
    signal += expected ** 2;
    noise += (samples[n]! / 32_768 - expected) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

const layouts: (Layout & { readonly decibels: number })[] = [
  { rate: 16_000, channels: 1, bits: 8, decibels: 35 },
  { rate: 16_000, channels: 1, bits: 16, decibels: 80 },
  { rate: 16_000, channels: 2, bits: 24, decibels: 80 },
  { rate: 16_000, channels: 1, bits: 32, decibels: 80 },
  { rate: 16_000, channels: 2, bits: 32, isFloat: true, decibels: 80 },
  { rate: 16_000, channels: 1, bits: 64, isFloat: true, decibels: 80 },
  { rate: 8000, channels: 1, bits: 16, decibels: 70 },
  { rate: 11_025, channels: 2, bits: 16, decibels: 70 },
  { rate: 12_345, channels: 1, bits: 16, decibels: 70 },
  { rate: 22_050, channels: 1, bits: 16, decibels: 70 },
  { rate: 44_100, channels: 2, bits: 16, decibels: 70 },
  { rate: 48_000, channels: 1, bits: 24, decibels: 70 },
  { rate: 96_000, channels: 2, bits: 32, isFloat: true, decibels: 70 },
  { rate: 48_000, channels: 2, bits: 24, isExtensible: true, junk: true, decibels: 70 },
];
for (const { decibels, ...layout } of layouts) {
  const name = Object.entries(layout)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");
  test(`takes ${name}`, async (t) => {
    const samples = await decode(wav(layout));
    assert.equal(samples.length, Math.ceil((Math.round(layout.rate / 2) * 16_000) / layout.rate));
    const measured = quality(samples);
    t.diagnostic(`${measured.toFixed(1)} dB`);
    assert.ok(measured > decibels, `${measured} dB`);
  });
}

test("16-bit mono at 16 kHz passes unchanged", async () => {
  const bytes = wav({ rate: 16_000, channels: 1, bits: 16 });
  const samples = await decode(bytes);
  const expected = Int16Array.from(samples, (_, n) => Buffer.from(bytes).readInt16LE(44 + 2 * n));
  assert.deepEqual(samples, expected);
});

test("the samples do not depend on how the body is cut", async () => {
  for (const layout of [layouts[10]!, layouts[13]!, layouts[8]!]) {
    const bytes = wav(layout);
    const whole = await decode(bytes, "audio/wav", bytes.length);
    for (const size of [1, 7, 1000, 65_537]) {
      assert.deepEqual(await decode(bytes, "audio/wav", size), whole);
    }
  }
});

test("what 16 kHz cannot hold is filtered out, what it can hold is not", async () => {
  const power = async (hz: number) => {
    const samples = await decode(wav({ rate: 48_000, channels: 1, bits: 24 }, 0.5, hz));
    const middle = samples.subarray(1000, 7000);
    return (
      10 * Math.log10(middle.reduce((sum, x) => sum + (x / 32_768) ** 2, 1e-12) / middle.length)
    );
  };
  const passed = await power(6500);
  assert.ok(
    Math.abs(passed - 10 * Math.log10(AMPLITUDE ** 2 / 2)) < 0.2,
    `${passed} dB at 6.5 kHz`,
  );
  for (const hz of [9000, 12_000, 20_000]) {
    assert.ok((await power(hz)) < passed - 70, `${hz} Hz aliases`);
  }
});

test("a data size that the writer did not know reads to the end", async () => {
  for (const dataSize of [0xffffffff, 0]) {
    const samples = await decode(wav({ rate: 16_000, channels: 1, bits: 16, dataSize }));
    assert.equal(samples.length, 8000);
  }
});

test("raw samples, little-endian unless they say otherwise", async () => {
  const little = Buffer.alloc(4);
  little.writeInt16LE(258, 0);
  little.writeInt16LE(-2, 2);
  const big = Buffer.from(little).swap16();
  const expected = Int16Array.from([258, -2]);
  assert.deepEqual(await decode(little, "audio/l16; rate=16000"), expected);
  assert.deepEqual(await decode(big, "audio/L16;rate=16000;endianness=big-endian"), expected);
});

test("one sample at any rate gives at least one", async () => {
  for (const rate of [8000, 16_000, 96_000]) {
    assert.ok((await decode(wav({ rate, channels: 1, bits: 16 }, 1 / rate))).length >= 1);
  }
});

test("what is wrong is said", async () => {
  const good = wav({ rate: 16_000, channels: 1, bits: 16 });
  const patched = (offset: number, ...values: number[]) => {
    const bytes = Buffer.from(good);
    bytes.set(values, offset);
    return bytes;
  };
  const cases: [string, Uint8Array, string?][] = [
    ["unsupported_type", good, "audio/mpeg"],
    ["unsupported_type", good, ""],
    ["not_wav", Buffer.from("RIFF\0\0\0\0AVI and more")],
    ["empty", new Uint8Array(0)],
    ["empty", good.slice(0, 36)],
    ["truncated", good.slice(0, 20)],
    ["truncated", good.slice(0, good.length - 1)],
    ["bad_rate", patched(24, 0, 0, 0, 0)],
    ["bad_rate", new Uint8Array(2), "audio/l16"],
    ["bad_rate", new Uint8Array(2), "audio/l16;rate=1e4"],
    ["bad_header", patched(22, 0)],
    ["bad_header", patched(32, 9)],
    ["bad_header", new Uint8Array(2), "audio/l16;rate=8000;endianness=middle"],
    ["unsupported_encoding", patched(20, 2)],
    ["unsupported_encoding", patched(34, 12)],
    ["truncated", new Uint8Array(3), "audio/l16;rate=16000"],
  ];
  for (const [code, bytes, type] of cases) {
    await assert.rejects(decode(bytes, type), { name: "AudioError", code });
  }
  await assert.rejects(decode(good, "audio/wav", 100, 7999), { code: "too_long" });
});
