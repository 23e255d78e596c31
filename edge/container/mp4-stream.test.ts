import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { SeededRandom } from "../../test/fuzz/random.ts";
import { boxAt, boxesOf } from "../../test/support/boxes.ts";
import { each, flashFilm, pieces, playTrack } from "../../test/support/films.ts";
import { randomTrack } from "../../test/support/h264-streams.ts";
import { sampleSpeech } from "../../test/support/sample-speech.ts";
import type { Track } from "../compositor/h264/track.ts";
import { Mp4Error } from "./mp4-error.ts";
import type { Mp4Input, Mp4Picture } from "./mp4-input.ts";
import { createMp4Stream } from "./mp4-stream.ts";

const FRAMES = 100;
const NEVER = new AbortController().signal;

let track: Track;
let pictures: readonly Mp4Picture[];
let speech: Int16Array;
before(async () => {
  const random = new SeededRandom(3);
  ({ track } = await randomTrack(random, 15));
  pictures = playTrack(random, track, { frames: FRAMES, preRoll: 7 });
  speech = (await sampleSpeech()).subarray(0, FRAMES * 640);
});

function input(parts: Partial<Mp4Input> = {}): Mp4Input {
  const { width, height } = track.format;
  return { width, height, pictures: each(pictures), speech: each(pieces(speech, 640)), ...parts };
}

/** Pictures that note how far they were read, and whether they were let go. */
function watched(pictures: readonly Mp4Picture[], pause: Promise<void> | null = null) {
  const state = { read: 0, isClosed: false };
  async function* read(): AsyncGenerator<Mp4Picture> {
    try {
      for (const picture of pictures) {
        if (pause && state.read === 50) await pause;
        state.read++;
        yield picture;
      }
    } finally {
      state.isClosed = true;
    }
  }
  return { state, pictures: read() };
}

const settle = async () => {
  for (let n = 0; n < 50; n++) await setImmediate();
};

async function refuses(code: string, parts: Partial<Mp4Input>, options = {}) {
  const stream = createMp4Stream(input(parts), NEVER, options);
  await assert.rejects(
    new Response(stream).bytes(),
    (error) => error instanceof Mp4Error && error.code === code,
  );
}

test("header, then fragments; each piece ends with a fragment", async () => {
  const types: string[][] = [];
  for await (const piece of createMp4Stream(input(), NEVER)) {
    types.push(boxesOf(piece).map(({ type }) => type));
  }
  // Pre-roll and priming, 0.2 s, and the rest of 4 s in halves of a second.
  assert.deepEqual(types[0], ["ftyp", "moov", "moof", "mdat"]);
  assert.equal(types.length, 10);
  for (const fragment of types.slice(1)) assert.deepEqual(fragment, ["moof", "mdat"]);
});

test("nothing is in the fragments but the pictures' slices and the sound", async () => {
  const bytes = await new Response(createMp4Stream(input({ speech: null }), NEVER)).bytes();
  const content = boxesOf(bytes).filter(({ type }) => type === "mdat");
  const total = content.reduce((sum, { content }) => sum + content.length, 0);
  const isSlice = (part: Uint8Array) => [1, 5].includes(part[4]! & 31);
  const slices = pictures.flatMap(({ parts }) => parts).filter(isSlice);
  assert.equal(
    total,
    slices.reduce((sum, { length }) => sum + length, 0),
  );
  assert.equal(boxesOf(boxAt(bytes, "moov")!).filter(({ type }) => type === "trak").length, 1);
});

test("the pre-roll and the priming are cut away by edit lists", async () => {
  const bytes = await new Response(createMp4Stream(input(), NEVER)).bytes();
  const traks = boxesOf(boxAt(bytes, "moov")!).filter(({ type }) => type === "trak");
  const starts = traks.map(({ content }) => {
    const list = boxAt(content, "edts/elst")!;
    const numbers = new DataView(list.buffer, list.byteOffset);
    // One entry: to the end, from this time of the track on.
    assert.deepEqual([numbers.getUint32(4), numbers.getUint32(8)], [1, 0]);
    return numbers.getInt32(12);
  });
  assert.deepEqual(starts, [0.06 * 57_600, 1_024]);
});

test("it does not depend on how the speech is cut, nor on when things come", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_700_000_000_000 });
  const expected = await new Response(createMp4Stream(input(), NEVER)).bytes();
  async function* slowly<T>(items: Iterable<T>): AsyncGenerator<T> {
    for (const item of items) {
      await setImmediate();
      yield item;
    }
  }
  for (const length of [100, 5_000]) {
    const cut = input({ pictures: slowly(pictures), speech: slowly(pieces(speech, length)) });
    assert.deepEqual(await new Response(createMp4Stream(cut, NEVER)).bytes(), expected);
  }
});

test("speech of nobody is a film without sound", async () => {
  const bytes = await new Response(createMp4Stream(input({ speech: each([]) }), NEVER)).bytes();
  assert.equal(boxesOf(boxAt(bytes, "moov")!).filter(({ type }) => type === "trak").length, 1);
});

describe("what is asked for is made, and no more", () => {
  test("nothing before the first read, then half a second at a time", async () => {
    const { state, pictures: source } = watched(pictures);
    const reader = createMp4Stream(input({ pictures: source }), NEVER).getReader();
    await settle();
    assert.equal(state.read, 0);
    // The pre-roll, the pictures of the fragment, and the one that ends it.
    for (const expected of [7 + 1, 7 + 5 + 1, 7 + 13 + 1, 7 + 25 + 1]) {
      await reader.read();
      await settle();
      assert.equal(state.read, expected);
    }
    await reader.cancel();
    assert.ok(state.isClosed);
  });

  test("fragments come while later pictures are not there yet", async () => {
    const pause = Promise.withResolvers<void>();
    const { state, pictures: source } = watched(pictures, pause.promise);
    const reader = createMp4Stream(input({ pictures: source }), NEVER).getReader();
    for (let n = 0; n < 5; n++) assert.equal((await reader.read()).done, false);
    const next = reader.read();
    await settle();
    assert.equal(state.read, 50);
    pause.resolve();
    assert.equal((await next).done, false);
    await reader.cancel();
  });

  test("cancelling ends it, even while it waits for a picture that never comes", async () => {
    let isClosed = false;
    let isSpeechClosed = false;
    const never: AsyncIterable<Mp4Picture> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          isClosed = true;
          return { done: true, value: undefined };
        },
      }),
    };
    async function* speaking(): AsyncGenerator<Int16Array> {
      try {
        for (;;) {
          yield new Int16Array(1_600);
          await setImmediate();
        }
      } finally {
        isSpeechClosed = true;
      }
    }
    const reader = createMp4Stream(
      input({ pictures: never, speech: speaking() }),
      NEVER,
    ).getReader();
    const waiting = reader.read();
    await settle();
    await reader.cancel("enough");
    assert.equal((await waiting).done, true);
    await settle();
    assert.ok(isClosed && isSpeechClosed);
  });
});

describe("a signal ends it, as workerd does when a reader has left", () => {
  const isEnough = (error: unknown) => error instanceof Error && error.message === "enough";

  test("while nobody reads", async () => {
    const { state, pictures: source } = watched(pictures);
    const ended = new AbortController();
    const stream = createMp4Stream(input({ pictures: source }), ended.signal);
    const reader = stream.getReader();
    await reader.read();
    ended.abort(new Error("enough"));
    await settle();
    assert.ok(state.isClosed);
    await assert.rejects(reader.read(), isEnough);
  });

  test("while it waits", async () => {
    const pause = Promise.withResolvers<void>();
    const ended = new AbortController();
    const { pictures: source } = watched(pictures, pause.promise);
    const reader = createMp4Stream(input({ pictures: source }), ended.signal).getReader();
    for (let n = 0; n < 5; n++) await reader.read();
    const waiting = reader.read();
    await settle();
    ended.abort(new Error("enough"));
    await assert.rejects(waiting, isEnough);
    pause.resolve();
  });

  test("before it began", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(new Response(createMp4Stream(input(), signal)).bytes(), isEnough);
  });
});

describe("what cannot be written is refused", () => {
  test("with a code for each", async () => {
    const [first, ...others] = pictures;
    const at = (picture: Mp4Picture, timestampMs: number) => ({ ...picture, timestampMs });
    await refuses("bad_picture", { pictures: each(others.filter((p) => !p.isKeyFrame)) });
    await refuses("bad_time", { pictures: each([at(first!, 0), at(first!, 0)]) });
    await refuses("bad_time", { pictures: each([at(first!, Number.NaN)]) });
    const long = Array.from({ length: 300 }, (_, n) => at(first!, n - 300));
    await refuses("bad_time", { pictures: each(long) });
    await refuses("empty", { pictures: each([]) });
    await refuses("empty", { pictures: each([at(first!, -40)]) });
    const other = await flashFilm({ frames: 1, preRoll: 0, flashes: [] });
    const mixed = [at(first!, -40), ...other.pictures];
    await refuses("format_changed", { pictures: each(mixed) });
    const never = new ReadableStream<Mp4Picture>();
    await refuses("stalled", { pictures: never }, { stallMs: 20 });
    await refuses("stalled", { speech: new ReadableStream<Int16Array>() }, { stallMs: 20 });
    assert.throws(() => createMp4Stream(input(), NEVER, { stallMs: 0 }), RangeError);
    assert.throws(() => createMp4Stream(input(), NEVER, { frameMs: Number.NaN }), RangeError);
  });

  test("and a source that breaks breaks the stream, behind what was whole", async () => {
    async function* broken(): AsyncGenerator<Mp4Picture> {
      yield* pictures.slice(0, 40);
      throw new Error("no core answers");
    }
    const reader = createMp4Stream(input({ pictures: broken() }), NEVER).getReader();
    for (let n = 0; n < 4; n++) assert.equal((await reader.read()).done, false);
    await assert.rejects(reader.read(), /no core answers/);
  });
});
