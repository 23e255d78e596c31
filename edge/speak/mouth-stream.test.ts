import assert from "node:assert/strict";
import { test } from "node:test";
import { CoreCallError, type CoreClient } from "../core/core-client.ts";
import { streamMouths } from "./mouth-stream.ts";
import { cutSpeechWindows } from "./speech-windows.ts";

const AVATAR = {
  id: "ada",
  title: "Ada",
  width: 64,
  height: 48,
  fps: 25,
  frameCount: 10,
  playback: "ping-pong",
  version: "1",
  formats: ["png", "jpeg"],
} as const;

test("a core that fails is told at once, though the speech has fallen silent", async () => {
  const core: CoreClient = {
    async *inferSpeech({ firstFrame, backgroundIndices }) {
      for (const [n, backgroundIndex] of backgroundIndices.entries()) {
        if (n === 3) throw new CoreCallError("unavailable", "the core has gone");
        const region = { x: 0, y: 0, width: 1, height: 1 };
        yield {
          frame: firstFrame + n,
          backgroundIndex,
          region,
          pixels: new Uint8Array(3),
          times: null,
        };
      }
    },
    async checkHealth() {},
    loadModel: async () => 0,
  };
  async function* silent(): AsyncGenerator<Int16Array> {
    // Enough for the first window; the rest never comes.
    yield new Int16Array(16_000);
    await new Promise(() => {});
  }
  const windows = cutSpeechWindows(silent());
  const options = { signal: new AbortController().signal, requestId: "test" };
  let frames = 0;
  await assert.rejects(
    async () => {
      for await (const _ of streamMouths(core, AVATAR, windows, 0, options)) frames++;
    },
    (error: unknown) => error instanceof CoreCallError && error.code === "unavailable",
  );
  assert.equal(frames, 3);
});
