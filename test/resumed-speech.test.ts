import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EdgeApi } from "../client/edge-api.ts";
import type { SpeechFrame } from "../client/frame-buffer.ts";
import { cutSpeech } from "../client/speech-cut.ts";
import { startSystem, type TestSystem } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

describe("an utterance that is asked for again from its middle on", () => {
  let system: TestSystem;
  const ends: (() => Promise<void>)[] = [];

  before(async () => {
    const root = await temporaryFolder({ after: (end) => ends.push(end) });
    await writeTinyAvatar(root, "tiny");
    system = await startSystem(root);
  });
  after(async () => {
    await system?.stop();
    for (const end of ends) await end();
  });

  const speak = async (speech: Blob, start: number) => {
    const api = new EdgeApi(system.edge.url);
    const frames: SpeechFrame[] = [];
    const options = { start, signal: AbortSignal.timeout(15_000) };
    for await (const frame of await api.speak("tiny", speech, options)) frames.push(frame);
    return frames;
  };

  test("its frames are those of the whole, byte for byte", async () => {
    const wav = new Blob([wavFile(tone(48_123))]);
    const whole = await speak(wav, 7);
    for (const after of [-1, 3, 15, 16, 17, 18, 40]) {
      const { speech, firstFrame } = await cutSpeech(wav, after, 25);
      assert.ok(firstFrame <= after + 1);
      const rest = await speak(speech, 7 + firstFrame);
      assert.equal(rest.length, whole.length - firstFrame);
      for (const frame of rest) {
        const number = frame.number + firstFrame;
        if (number <= after) continue;
        assert.equal(frame.backgroundIndex, whole[number]!.backgroundIndex);
        assert.deepEqual(frame.data, whole[number]!.data, `frame ${number}, cut at ${firstFrame}`);
      }
    }
    assert.ok((await cutSpeech(wav, 40, 25)).firstFrame > 20, "nothing was saved");
  });
});
