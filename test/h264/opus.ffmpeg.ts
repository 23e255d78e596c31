// Opus packets as ffmpeg has them, in an Ogg file with the pre-skip that the encoder states.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  OggOutputFormat,
  Output,
} from "mediabunny";
import { createOpusEncoder, OPUS_FRAME_SAMPLES } from "../../edge/audio/opus-encoder.ts";
import { delayOf, likeness, sampleSpeech } from "../support/sample-speech.ts";

const FRAME_S = 0.02;

/** RFC 7845, 5.1. */
function opusHead(preSkip: number): Uint8Array {
  const head = new Uint8Array(19);
  head.set(new TextEncoder().encode("OpusHead"));
  head.set([1, 1, preSkip & 255, preSkip >> 8, 0x80, 0x3e], 8);
  return head;
}

async function oggOf(speech: Int16Array): Promise<Uint8Array> {
  const encoder = createOpusEncoder();
  const target = new BufferTarget();
  const output = new Output({ format: new OggOutputFormat(), target });
  const source = new EncodedAudioPacketSource("opus");
  output.addAudioTrack(source);
  await output.start();
  for (let n = 0; (n + 1) * OPUS_FRAME_SAMPLES <= speech.length; n++) {
    const samples = speech.subarray(n * OPUS_FRAME_SAMPLES, (n + 1) * OPUS_FRAME_SAMPLES);
    await source.add(new EncodedPacket(encoder.encode(samples), "key", n * FRAME_S, FRAME_S), {
      decoderConfig: {
        codec: "opus",
        sampleRate: 48_000,
        numberOfChannels: 1,
        description: opusHead(encoder.preSkip),
      },
    });
  }
  encoder.free();
  await output.finalize();
  return new Uint8Array(target.buffer!);
}

test("ffmpeg hears the speech, when it was spoken", async () => {
  const speech = (await sampleSpeech()).subarray(0, 8 * 16_000);
  const input = await oggOf(speech);
  const args = ["-v", "warning", "-err_detect", "explode", "-f", "ogg", "-i", "-"];
  args.push("-f", "s16le", "-ar", "16000", "-ac", "1", "-");
  const { stdout, stderr, status } = spawnSync("ffmpeg", args, { input, maxBuffer: 1 << 28 });
  assert.equal(stderr.toString(), "");
  assert.equal(status, 0);
  const heard = new Int16Array(new Uint8Array(stdout).buffer);
  const delay = delayOf(heard, speech, 200);
  assert.ok(Math.abs(delay) <= 16, `${delay} samples late`);
  assert.ok(likeness(heard, speech, delay) > 0.95);
});
