import assert from "node:assert/strict";
import { test } from "node:test";
import { createDecoder } from "libopus-wasm";
import { delayOf, likeness, sampleSpeech } from "../../test/support/sample-speech.ts";
import { CodecError } from "./codecs/codec-error.ts";
import { createOpusEncoder, OPUS_FRAME_SAMPLES, type OpusEncoderOptions } from "./opus-encoder.ts";

const FRAMES = 250;

function frame(samples: Int16Array, n: number): Int16Array {
  return samples.subarray(n * OPUS_FRAME_SAMPLES, (n + 1) * OPUS_FRAME_SAMPLES);
}

async function encodeSpeech(options?: OpusEncoderOptions) {
  const speech = (await sampleSpeech()).subarray(0, FRAMES * OPUS_FRAME_SAMPLES);
  const encoder = createOpusEncoder(options);
  const packets = Array.from({ length: FRAMES }, (_, n) => encoder.encode(frame(speech, n)));
  const { lookaheadSamples, preSkip } = encoder;
  encoder.free();
  return { speech, packets, lookaheadSamples, preSkip };
}

async function decode(packets: readonly Uint8Array[]): Promise<Int16Array> {
  const decoder = await createDecoder({ sampleRate: 16_000, channels: 1 });
  const decoded = new Int16Array(packets.length * OPUS_FRAME_SAMPLES);
  for (const [n, packet] of packets.entries()) {
    decoded.set(decoder.decode(packet), n * OPUS_FRAME_SAMPLES);
  }
  decoder.free();
  return decoded;
}

test("what is decoded is the speech, late by the lookahead it says", async () => {
  const { speech, packets, lookaheadSamples, preSkip } = await encodeSpeech();
  const decoded = await decode(packets);
  assert.ok(Math.abs(delayOf(decoded, speech, 400) - lookaheadSamples) <= 8);
  assert.ok(likeness(decoded, speech, lookaheadSamples) > 0.95);
  assert.equal(preSkip, 3 * lookaheadSamples);
});

test("packets are of the size asked for", async () => {
  for (const bitrate of [16_000, 28_000, 48_000]) {
    const { packets } = await encodeSpeech({ bitrate });
    const bits = packets.reduce((sum, { length }) => sum + 8 * length, 0);
    const found = bits / (FRAMES * 0.02);
    assert.ok(found > 0.6 * bitrate && found < 1.15 * bitrate, `${found} of ${bitrate}`);
    // RFC 6716, 3.1: one frame of SILK wideband, 20 ms, mono.
    for (const packet of packets) assert.equal(packet[0]! & 0b111, 0);
  }
});

test("a lost packet is in the one after it, where FEC is asked for", async () => {
  const heard = async (fec: boolean) => {
    const { speech, packets, lookaheadSamples } = await encodeSpeech({
      fec,
      packetLossPercent: 25,
    });
    const decoder = await createDecoder({ sampleRate: 16_000, channels: 1 });
    const [found, wanted]: [number[], number[]] = [[], []];
    for (let n = 0; n + 1 < FRAMES; n++) {
      if (n % 5 !== 4) {
        decoder.decode(packets[n]!);
        continue;
      }
      const options = { decodeFec: true, frameSize: OPUS_FRAME_SAMPLES };
      found.push(...decoder.decode(packets[n + 1]!, options));
      const at = n * OPUS_FRAME_SAMPLES - lookaheadSamples;
      wanted.push(...speech.subarray(at, at + OPUS_FRAME_SAMPLES));
    }
    decoder.free();
    return likeness(found, wanted, 0);
  };
  const [withFec, without] = [await heard(true), await heard(false)];
  assert.ok(withFec > without + 0.1, `${withFec} with, ${without} without`);
});

test("the bit rate follows the network from the next packet on", async () => {
  const speech = await sampleSpeech();
  const encoder = createOpusEncoder({ bitrate: 12_000 });
  const bytes = (from: number) => {
    let sum = 0;
    for (let n = from; n < from + 100; n++) sum += encoder.encode(frame(speech, n)).length;
    return sum;
  };
  const before = bytes(100);
  encoder.setBitrate(40_000);
  assert.ok(bytes(100) > 2 * before);
  encoder.free();
});

test("what it does not take is refused, and a freed one encodes no more", () => {
  const refuses = (code: string, run: () => unknown) =>
    assert.throws(run, (error) => error instanceof CodecError && error.code === code);
  refuses("bad_input", () => createOpusEncoder({ bitrate: 5_999 }));
  refuses("bad_input", () => createOpusEncoder({ complexity: 11 }));
  refuses("bad_input", () => createOpusEncoder({ packetLossPercent: 0.5 }));
  const encoder = createOpusEncoder();
  refuses("bad_input", () => encoder.encode(new Int16Array(319)));
  refuses("bad_input", () => encoder.setBitrate(Number.NaN));
  encoder.free();
  encoder.free();
  refuses("freed", () => encoder.encode(new Int16Array(OPUS_FRAME_SAMPLES)));
  refuses("freed", () => encoder.setBitrate(20_000));
});

test("encoders beside each other do not disturb each other, and give their memory back", async () => {
  const { speech, packets } = await encodeSpeech();
  const [one, other] = [createOpusEncoder(), createOpusEncoder()];
  for (let n = 0; n < 50; n++) {
    assert.deepEqual(one.encode(frame(speech, n)), packets[n]);
    other.encode(frame(speech, FRAMES - 1 - n));
  }
  one.free();
  other.free();
  // Without the memory of those before, these do not fit into what the library may take.
  for (let n = 0; n < 5_000; n++) createOpusEncoder().free();
});
