import assert from "node:assert/strict";
import { test } from "node:test";
import {
  frameCount,
  samplesForFrames,
  samplesForFramesWithin,
} from "../../avatar/speech-timing.ts";
import { cutSpeechWindows } from "./speech-windows.ts";

async function* chunks(samples: Int16Array, size: number): AsyncGenerator<Int16Array> {
  for (let at = 0; at < samples.length; at += size) yield samples.subarray(at, at + size);
}

for (const total of [1, 799, 3200, 16_000, 86_951, 400_000]) {
  for (const size of [1000, 3201, 1_000_000]) {
    test(`${total} samples in chunks of ${size}: every frame once, with all it depends on`, async () => {
      const samples = Int16Array.from({ length: total }, (_, n) => n % 30_011);
      let next = 0;
      for await (const window of cutSpeechWindows(chunks(samples, size))) {
        assert.equal(window.firstFrame, next);
        next += window.frames;
        const { utteranceSamples } = window;
        const needed =
          utteranceSamples === null
            ? samplesForFrames(window.firstFrame, next)
            : samplesForFramesWithin(window.firstFrame, next, utteranceSamples);
        assert.equal(window.start, needed.start);
        assert.deepEqual(window.samples, samples.slice(needed.start, needed.end));
        if (utteranceSamples !== null) assert.equal(utteranceSamples, total);
      }
      assert.equal(next, frameCount(total));
    });
  }
}

test("the first window is small and goes out before the utterance has ended", async () => {
  let sent = 0;
  async function* endless(): AsyncGenerator<Int16Array> {
    for (; sent < 1000; sent++) yield new Int16Array(640);
  }
  const windows = cutSpeechWindows(endless());
  const { value } = await windows.next();
  assert.ok(value && value.frames <= 5);
  assert.ok(sent < 25, `${sent} frames of speech were taken first`);
  await windows.return(undefined);
});
