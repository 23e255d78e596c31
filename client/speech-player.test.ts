import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeAhead } from "./decode-ahead.ts";
import { FrameBuffer } from "./frame-buffer.ts";
import { type SpeechClock, type SpeechPicture, SpeechPlayer } from "./speech-player.ts";

const FPS = 25;
const PERIOD_MS = 1000 / FPS;

interface Picture {
  readonly number: number;
  released: boolean;
}

/** A sound that is heard exactly when it is told to be. */
class SimulatedClock implements SpeechClock {
  readonly durationMs: number;
  playing = false;
  #startedMs = 0;
  #heardMs = 0;

  constructor(durationMs: number) {
    this.durationMs = durationMs;
  }

  play(atMs: number): void {
    this.#startedMs = atMs - this.#heardMs;
    this.playing = true;
  }

  pause(): void {
    this.playing = false;
  }

  mediaTimeMs(nowMs: number): number {
    if (this.playing) this.#heardMs = nowMs - this.#startedMs;
    return this.#heardMs;
  }
}

function setUp(frameCount: number) {
  const state = { nowMs: 1000, decodeMs: 0 };
  const clock = new SimulatedClock(frameCount * PERIOD_MS);
  const frames = new FrameBuffer();
  const made: Picture[] = [];
  const player = new SpeechPlayer<Picture>({
    clock,
    frames,
    fps: FPS,
    decoder: new DecodeAhead<Picture>({
      decode: async (number) => {
        const frame = frames.frame(number);
        assert.ok(frame, `frame ${number} has been dropped`);
        state.nowMs += state.decodeMs;
        const picture = { number: frame.data[0]!, released: false };
        made.push(picture);
        return picture;
      },
      release: (picture) => {
        assert.equal(picture.released, false, `picture ${picture.number} is given back twice`);
        picture.released = true;
      },
      now: () => state.nowMs,
    }),
  });
  const push = (number: number) =>
    frames.push({
      number,
      timeMs: number * PERIOD_MS,
      backgroundIndex: number,
      data: new Uint8Array([number]),
      isKeyFrame: true,
    });
  /** Screen refreshes of `stepMs` until the player is over. */
  const run = async (stepMs: number, onTick?: (picture: SpeechPicture<Picture> | null) => void) => {
    for (let ticks = 0; player.phase !== "over"; ticks++) {
      assert.ok(ticks < 2000, "the player does not come to its end");
      const picture = player.tick(state.nowMs, 0);
      if (picture) assert.equal(picture.image.released, false, "a picture was taken back");
      onTick?.(picture);
      // What is being decoded gets ready between two refreshes.
      await new Promise((resolve) => setImmediate(resolve));
      state.nowMs += stepMs;
    }
  };
  return { state, clock, frames, made, player, push, run };
}

test("each frame is drawn when its sound is heard, and all is given back", async () => {
  const { frames, made, player, push, run } = setUp(30);
  for (let n = 0; n < 30; n++) await push(n);
  frames.end();
  const drawn: number[] = [];
  await run(16, (picture) => {
    if (!picture) return;
    drawn.push(picture.frame.number);
    assert.equal(picture.image.number, picture.frame.number);
    const lateMs = picture.audioTimeMs - picture.frame.timeMs;
    assert.ok(lateMs >= 0 && lateMs < PERIOD_MS, `frame ${picture.frame.number}: ${lateMs} ms`);
  });
  assert.deepEqual(
    drawn,
    Array.from({ length: 30 }, (_, n) => n),
  );
  assert.deepEqual(player.counts, { drawn: 30, skipped: 0, stalls: 0 });
  assert.deepEqual(
    made.filter(({ released }) => !released),
    [],
  );
});

test("a slow screen skips frames and stays with the sound", async () => {
  const { frames, player, push, run } = setUp(30);
  for (let n = 0; n < 30; n++) await push(n);
  frames.end();
  await run(95, (picture) => {
    if (picture) assert.ok(picture.audioTimeMs - picture.frame.timeMs < PERIOD_MS);
  });
  assert.ok(player.counts.skipped > 10, `${player.counts.skipped} frames were skipped`);
  assert.ok(player.counts.drawn >= 11, `${player.counts.drawn} frames were drawn`);
});

test("the sound waits when the frames run dry, and goes on where it was", async () => {
  const { clock, frames, player, push, run } = setUp(40);
  for (let n = 0; n < 20; n++) await push(n);
  let lastMs = 0;
  let dryTicks = 0;
  await run(16, (picture) => {
    if (player.phase === "buffering" && player.begun) {
      assert.equal(clock.playing, false);
      if (++dryTicks === 10) {
        for (let n = 20; n < 40; n++) void push(n);
        frames.end();
      }
    }
    if (!picture) return;
    assert.ok(picture.audioTimeMs > lastMs - 1, "the sound ran back");
    lastMs = picture.audioTimeMs;
  });
  assert.equal(player.counts.stalls, 1);
  assert.equal(player.counts.drawn + player.counts.skipped, 40);
});

test("a sound that waits goes on, however long a picture takes to decode", async () => {
  const { state, frames, player, push, run } = setUp(40);
  for (let n = 0; n < 20; n++) await push(n);
  let dryTicks = 0;
  await run(16, () => {
    // The machine gets busy once it plays.
    if (player.begun) state.decodeMs = 300;
    if (player.phase !== "buffering" || !player.begun || ++dryTicks !== 10) return;
    for (let n = 20; n < 40; n++) void push(n);
    frames.end();
  });
  assert.ok(player.counts.stalls >= 1);
});

test("what broke the stream is thrown after its last frame", async () => {
  const { frames, push, run } = setUp(40);
  for (let n = 0; n < 12; n++) await push(n);
  frames.end(new Error("cut off"));
  const drawn: number[] = [];
  await assert.rejects(
    run(16, (picture) => {
      if (picture) drawn.push(picture.frame.number);
    }),
    /cut off/,
  );
  assert.equal(drawn.at(-1), 11);
});

test("leaving stops the sound and gives the pictures back", async () => {
  const { state, clock, made, player, push } = setUp(30);
  for (let n = 0; n < 30; n++) await push(n);
  for (let ticks = 0; ticks < 10; ticks++) {
    player.tick(state.nowMs, 0);
    await new Promise((resolve) => setImmediate(resolve));
    state.nowMs += 16;
  }
  assert.ok(clock.playing);
  player.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(clock.playing, false);
  assert.ok(made.length > 0);
  assert.deepEqual(
    made.filter(({ released }) => !released),
    [],
  );
});
