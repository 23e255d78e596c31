import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChunkDecoder, ChunkDecoderEvents, VideoChunk } from "./chunk-decoder.ts";
import { FrameBuffer } from "./frame-buffer.ts";
import { VideoDecodeAhead } from "./video-decode-ahead.ts";

const PERIOD_MS = 40;
/** A start code and the first bytes of a sequence parameter set. */
const KEY_BYTES = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x8c];

class Picture {
  readonly timestamp: number;
  isClosed = false;

  constructor(timestamp: number) {
    this.timestamp = timestamp;
  }

  close(): void {
    assert.equal(this.isClosed, false, `picture ${this.timestamp} is closed twice`);
    this.isClosed = true;
  }
}

/**
 * Keeps the rules of WebCodecs: nothing before `configure`, a key frame first,
 * pictures in the order of chunks. It refuses a frame whose reference it lacks.
 */
class StrictDecoder implements ChunkDecoder {
  readonly given: number[] = [];
  readonly waiting: VideoChunk[] = [];
  readonly configs: string[] = [];
  isClosed = false;
  flushes = 0;
  readonly #events: ChunkDecoderEvents<Picture>;
  readonly #made: Picture[];

  constructor(events: ChunkDecoderEvents<Picture>, made: Picture[]) {
    this.#events = events;
    this.#made = made;
  }

  configure({ codec }: { readonly codec: string }): void {
    this.configs.push(codec);
  }

  decode(chunk: VideoChunk): void {
    const number = Math.round(chunk.timestamp / 1000 / PERIOD_MS);
    assert.equal(this.isClosed, false);
    assert.equal(this.configs.length, 1);
    if (chunk.type === "delta") {
      assert.equal(this.given.at(-1), number - 1, `frame ${number} lacks its reference`);
    }
    this.given.push(number);
    this.waiting.push(chunk);
  }

  /** Lets up to `count` pictures come out. */
  work(count = Infinity): void {
    for (let n = 0; n < count && this.waiting.length > 0 && !this.isClosed; n++) {
      const picture = new Picture(this.waiting.shift()!.timestamp);
      this.#made.push(picture);
      this.#events.output(picture);
    }
  }

  break(): void {
    this.isClosed = true;
    this.#events.error(new Error("out of order"));
  }

  async flush(): Promise<void> {
    this.flushes++;
  }

  close(): void {
    if (this.isClosed) throw new Error("closed already");
    this.isClosed = true;
  }
}

function setUp(options: { readonly from: number; readonly to: number; readonly keyEvery: number }) {
  const state = { nowMs: 0 };
  const made: Picture[] = [];
  const decoders: StrictDecoder[] = [];
  const errors: unknown[] = [];
  const frames = new FrameBuffer();
  const push = (number: number) => {
    const isKeyFrame = (number - options.from) % options.keyEvery === 0;
    void frames.push({
      number,
      timeMs: number * PERIOD_MS,
      backgroundIndex: 0,
      data: new Uint8Array(isKeyFrame ? KEY_BYTES : [0, 0, 0, 1, 0x41, 0x9a]),
      isKeyFrame,
    });
  };
  for (let number = options.from; number <= options.to; number++) push(number);
  const ahead = new VideoDecodeAhead<Picture>({
    frames,
    open: (events) => {
      decoders.push(new StrictDecoder(events, made));
      return decoders.at(-1)!;
    },
    now: () => state.nowMs,
    onError: (error) => errors.push(error),
  });
  const open = () => made.filter(({ isClosed }) => !isClosed);
  /** As the player does at each refresh: the frames from `first` on. */
  const want = (first: number, count = 6) => {
    const keys = Array.from({ length: count }, (_, n) => first + n);
    ahead.want(keys, keys.at(-1)!);
  };
  return { state, frames, made, decoders, errors, ahead, open, push, want };
}

test("frames before the utterance are decoded and closed, those in it are kept", () => {
  const { ahead, decoders, open, want } = setUp({ from: -3, to: 20, keyEvery: 25 });
  for (let n = 0; n < 5; n++) {
    want(0);
    decoders[0]!.work();
  }
  assert.deepEqual(decoders[0]!.given, [-3, -2, -1, 0, 1, 2, 3, 4, 5]);
  assert.deepEqual(decoders[0]!.configs, ["avc1.42c01f"]);
  assert.equal(open().length, 6);
  assert.equal(ahead.get(-1), undefined);
  for (let number = 0; number < 6; number++) {
    assert.equal(ahead.get(number)?.timestamp, number * PERIOD_MS * 1000);
  }
});

test("never more pictures than a decoder has room for, and all are closed", () => {
  const { ahead, decoders, made, open, want } = setUp({ from: 0, to: 99, keyEvery: 25 });
  for (let first = 0; first <= 94; first++) {
    want(first);
    const [decoder] = decoders;
    assert.ok(open().length + decoder!.waiting.length <= 6);
    decoder!.work();
  }
  assert.equal(made.length, 100);
  ahead.clear();
  assert.deepEqual(open(), []);
  assert.equal(decoders[0]!.isClosed, true);
});

test("a late frame is decoded all the same, for the ones that need it", () => {
  const { ahead, decoders, open, want } = setUp({ from: 0, to: 40, keyEvery: 100 });
  want(0);
  // The page was busy: the sound is 15 frames further.
  want(15);
  decoders[0]!.work();
  assert.deepEqual(
    decoders[0]!.given,
    Array.from({ length: 21 }, (_, n) => n),
  );
  assert.deepEqual(
    open().map(({ timestamp }) => timestamp / 1000 / PERIOD_MS),
    [15, 16, 17, 18, 19, 20],
  );
  assert.equal(ahead.hasFailed(3), true, "nobody waits for what has been passed over");
  assert.equal(ahead.hasFailed(21), false);
});

test("bytes are needed until the decoder has them", () => {
  const { ahead, decoders, want } = setUp({ from: 0, to: 40, keyEvery: 100 });
  want(0);
  assert.equal(ahead.neededFrom, 6);
  want(15);
  assert.equal(ahead.neededFrom, 6, "it is full");
  decoders[0]!.work(3);
  assert.equal(ahead.neededFrom, 9);
});

test("a key frame that is due makes what lies before it needless", () => {
  const { ahead, decoders, want } = setUp({ from: 0, to: 80, keyEvery: 25 });
  want(0);
  decoders[0]!.work();
  want(57);
  decoders[0]!.work();
  const given = [0, 1, 2, 3, 4, 5, ...Array.from({ length: 13 }, (_, n) => 50 + n)];
  assert.deepEqual(decoders[0]!.given, given);
  assert.equal(ahead.get(57)?.isClosed, false);
});

test("far behind, it gives the group up and waits for the next key frame", () => {
  const { ahead, decoders, want } = setUp({ from: 0, to: 59, keyEvery: 50 });
  want(0);
  decoders[0]!.work();
  // A decoder that needs longer than a frame lasts.
  want(40);
  assert.deepEqual(decoders[0]!.given, [0, 1, 2, 3, 4, 5]);
  assert.equal(ahead.neededFrom, 50);
  assert.equal(ahead.hasFailed(40), false, "it may come, if the sound waits");
  want(46);
  decoders[0]!.work();
  assert.deepEqual(decoders[0]!.given, [0, 1, 2, 3, 4, 5, 50, 51]);
  assert.equal(ahead.hasFailed(46), true);
  assert.equal(ahead.get(50)?.isClosed, false);
});

test("the end is told to the decoder, once, when it has everything", () => {
  const { decoders, frames, push, want } = setUp({ from: 0, to: 2, keyEvery: 25 });
  want(0);
  assert.equal(decoders[0]!.flushes, 0);
  push(3);
  frames.end();
  want(0);
  assert.deepEqual(decoders[0]!.given, [0, 1, 2, 3]);
  want(0);
  assert.equal(decoders[0]!.flushes, 1);
});

test("an error of the decoder closes all and is told once", () => {
  const { ahead, decoders, errors, open, want } = setUp({ from: 0, to: 20, keyEvery: 25 });
  want(0);
  decoders[0]!.work(2);
  decoders[0]!.break();
  want(0);
  assert.match(String(errors[0]), /out of order/);
  assert.equal(errors.length, 1);
  assert.deepEqual(open(), []);
  assert.equal(ahead.neededFrom, Infinity, "it holds nothing back");
});

test("a decoder that does not answer is an error, a page that slept is none", () => {
  const { state, decoders, errors, want } = setUp({ from: 0, to: 60, keyEvery: 25 });
  want(0);
  state.nowMs += 60_000;
  want(0);
  assert.deepEqual(errors, []);
  decoders[0]!.work(1);
  for (let n = 0; n < 400 && errors.length === 0; n++) {
    state.nowMs += 16;
    want(0);
  }
  assert.match(String(errors[0]), /has not answered/);
});

test("a stream that does not begin with a key frame waits for one", () => {
  const { decoders, want, push } = setUp({ from: 30, to: 20, keyEvery: 25 });
  for (let number = 26; number <= 31; number++) push(number);
  want(26);
  assert.deepEqual(decoders[0]?.given, [30, 31]);
});
