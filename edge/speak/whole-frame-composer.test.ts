import assert from "node:assert/strict";
import { test } from "node:test";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import { rgbaToRgb } from "../../avatar/image/crop.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import { composite, randomFrame, seededRandom } from "../../test/support/composite.ts";
import { MemoryStore, storeAvatar } from "../../test/support/packed-avatar.ts";
import { RecordingEncoders } from "../../test/support/recording-encoders.ts";
import { ANYONE } from "../access/caller.ts";
import { createFramePreparer } from "../background/frame-preparer.ts";
import { type Delivery, prepareFrame } from "../compositor/delivery.ts";
import { PictureConverter } from "../compositor/h264/rgb-to-picture.ts";
import { parseEdgeConfig } from "../config.ts";
import { CoreCallError, type CoreClient, type MouthRegion } from "../core/core-client.ts";
import { toProblem } from "../http/problem.ts";
import { RequestError } from "../http/request-error.ts";
import { openComposers } from "./open-composers.ts";
import { Speaker } from "./speaker.ts";
import { VideoEncoderError } from "./whole-frame-encoder.ts";

const WIDTH = 64;
const HEIGHT = 48;
const FRAMES = 5;
const codecs = createImageCodecs();
const converter = new PictureConverter();
const now = () => performance.now();

/** At even places, where the order of conversion and composition makes no difference. */
const regions = Array.from({ length: FRAMES }, (_, n) => ({
  x: 10 + 2 * n,
  y: 8,
  width: 20,
  height: 16,
}));

const images: RgbaImage[] = regions.map((_, n) => {
  const size = { width: WIDTH, height: HEIGHT, channels: 4 as const };
  const { data } = randomFrame(seededRandom(n), size, "smooth");
  for (let at = 3; at < data.length; at += 4) data[at] = 255;
  return { width: WIDTH, height: HEIGHT, data: new Uint8ClampedArray(data) };
});

const entries = (delivery: Delivery) =>
  images.map((image, n) => prepareFrame(image, regions[n]!, delivery));

async function setUp(kind: "plain" | "png" | "jpeg" = "plain", width = WIDTH) {
  const store = new MemoryStore();
  const mouths = await Promise.all(
    images.map(({ data }, n) => {
      const { x, y, width: w, height } = regions[n]!;
      const part = new Uint8ClampedArray(w * height * 4);
      for (let row = 0; row < height; row++) {
        const from = 4 * ((y + row) * WIDTH + x);
        part.set(data.subarray(from, from + 4 * w), 4 * w * row);
      }
      return codecs.encodePng({ width: w, height, data: part });
    }),
  );
  const delivery =
    kind === "jpeg"
      ? ({ format: "jpeg", softEdge: 0, quality: 95, subsampling: "4:4:4" } as const)
      : ({ format: "png", softEdge: 0 } as const);
  const packs = kind === "plain" ? {} : { [kind]: entries(delivery), mouth: mouths };
  const files = await Promise.all(images.map((image) => codecs.encodePng(image)));
  const avatar = storeAvatar(store, {
    id: "ada",
    width,
    height: HEIGHT,
    regions,
    packs,
    ...(kind === "plain" && { files }),
  });
  const encoders = new RecordingEncoders();
  const config = parseEdgeConfig({}, "test");
  const preparer = createFramePreparer(codecs);
  const { composers } = openComposers({ config, store, preparer, encoders, now });
  return { avatar, composers, encoders, store };
}

function mouthOf(index: number, frame: number): MouthRegion {
  const region = regions[index]!;
  const random = seededRandom(100 + frame);
  const pixels = Uint8Array.from({ length: region.width * region.height * 3 }, () => random(256));
  return { frame, backgroundIndex: index, region, pixels, times: null };
}

/** I420 of background `index`, with a mouth. */
function pictureOf(index: number, mouth: MouthRegion | null): Uint8Array {
  const image = rgbaToRgb(images[index]!);
  const data = mouth
    ? composite({ ...image, channels: 3 }, mouth.region, mouth.pixels, 0)
    : image.data;
  return converter.convertBytes({ ...image, data });
}

for (const kind of ["plain", "png", "jpeg"] as const) {
  test(`the encoder is given each frame with its mouth, from ${kind} frames`, async () => {
    const { avatar, composers, encoders } = await setUp(kind);
    const composer = await composers.open(avatar, "h264");
    assert.equal(await composer.startFor(3), 3);
    // Ping-pong from position 3 on.
    const indices = [4, 3, 2, 1, 0, 1];
    const mouths = indices.map((index, n) => (n % 3 === 2 ? null : mouthOf(index, n)));
    for (const [n, mouth] of mouths.entries()) {
      composer.readAhead(3 + n + 1);
      const { isKeyFrame, parts } = await composer.compose(3 + n, mouth);
      assert.equal(isKeyFrame, n === 0);
      assert.equal(parts.length, 1);
    }
    const [encoder] = encoders.opened;
    assert.equal(encoders.opened.length, 1);
    for (const [n, index] of indices.entries()) {
      const wanted = pictureOf(index, mouths[n]!);
      const found = encoder!.pictures[n]!;
      const furthest = wanted.reduce((most, v, i) => Math.max(most, Math.abs(v - found[i]!)), 0);
      assert.ok(furthest <= (kind === "jpeg" ? 12 : 0), `frame ${n}: ${furthest}`);
    }
    composer.close();
    assert.ok(encoder!.isClosed);
    await assert.rejects(composer.compose(9, null), TypeError);
  });
}

test("another rate takes another encoder, a second later or with a key frame", async () => {
  const { avatar, composers, encoders } = await setUp();
  const composer = await composers.open(avatar, "h264");
  let position = 0;
  const play = async (frames: number, keyFrame = false) => {
    for (let n = 0; n < frames; n++) await composer.compose(position++, null, { keyFrame });
    return encoders.opened.map(({ format }) => format.kilobitsPerSecond);
  };
  assert.deepEqual(await play(10), [null]);
  composer.setKilobits(800);
  assert.deepEqual(await play(15), [null]);
  assert.deepEqual(await play(1), [null, 800]);
  // The last one counts; what is near is let be.
  composer.setKilobits(300);
  composer.setKilobits(760);
  assert.deepEqual(await play(30), [null, 800]);
  composer.setKilobits(400);
  assert.deepEqual(await play(1), [null, 800, 400]);
  composer.setKilobits(200);
  assert.deepEqual(await play(1, true), [null, 800, 400, 200]);
  assert.deepEqual(await play(1, true), [null, 800, 400, 200]);
  const keys = encoders.opened.map(({ keyFrames }) => keyFrames.map((key) => (key ? "K" : "-")));
  assert.deepEqual(
    keys.map((each) => each.join("")),
    [`K${"-".repeat(24)}`, `K${"-".repeat(30)}`, "K", "KK"],
  );
  assert.deepEqual(
    encoders.opened.map(({ isClosed }) => isClosed),
    [true, true, true, false],
  );
  composer.close();
});

test("after a failure the next frame begins anew", async () => {
  const { avatar, composers, encoders } = await setUp();
  const composer = await composers.open(avatar, "h264");
  await composer.compose(0, null);
  encoders.opened[0]!.failure = new VideoEncoderError("timeout", "too much to do");
  await assert.rejects(composer.compose(1, null), (error: unknown) => {
    const { status, detail, retryAfterS } = toProblem(error, "1");
    assert.deepEqual([status, detail], [503, "too much to do"]);
    return retryAfterS !== undefined;
  });
  assert.ok(encoders.opened[0]!.isClosed);
  assert.ok((await composer.compose(2, null)).isKeyFrame);
  const elsewhere = { ...mouthOf(0, 3), region: { x: 0, y: 0, width: 20, height: 16 } };
  await assert.rejects(composer.compose(3, elsewhere), CoreCallError);
  composer.close();
  assert.ok(encoders.opened.every(({ isClosed }) => isClosed));
});

test("odd sides are refused, and not offered", async () => {
  const { avatar, composers } = await setUp("plain", WIDTH - 1);
  await assert.rejects(composers.open(avatar, "h264"), (error: unknown) => {
    assert.ok(error instanceof RequestError && error.status === 400);
    assert.match(error.message, /63x48 cannot be encoded: H\.264 needs even sides/);
    return true;
  });
  assert.deepEqual(composers.describe(avatar.summary).formats, ["png", "jpeg"]);
  const even = await setUp();
  assert.deepEqual(even.composers.describe(even.avatar.summary).formats, ["png", "jpeg", "h264"]);
  // Of the published avatar nothing is changed.
  assert.deepEqual(even.avatar.summary.formats, ["png", "jpeg"]);
});

test("pictures are made before they are asked for, and once", async () => {
  const { avatar, composers, store } = await setUp();
  const composer = await composers.open(avatar, "h264");
  await composer.prewarm(0, 25, AbortSignal.timeout(20_000));
  const reads = store.reads.length;
  for (let n = 0; n < 25; n++) await composer.compose(n, null);
  assert.equal(store.reads.length, reads);
  composer.close();
});

test("an utterance closes its encoder, also when its reader leaves", async () => {
  const { avatar, composers, encoders } = await setUp();
  const core: CoreClient = {
    async *inferSpeech({ backgroundIndices, firstFrame }) {
      for (const [n, index] of backgroundIndices.entries()) yield mouthOf(index, firstFrame + n);
    },
    loadModel: async () => 0,
    async checkHealth() {},
  };
  const speaker = new Speaker({ core, composers, maxSpeaking: 1, now });
  const speak = async (frames: number) => {
    const signal = AbortSignal.timeout(20_000);
    async function* speech() {
      yield new Int16Array(16_000);
    }
    const request = { caller: ANYONE, avatar, speech: speech(), start: 0, format: "h264" } as const;
    let seen = 0;
    for await (const _ of speaker.speak({ ...request, signal, requestId: "test" })) {
      if (++seen === frames) break;
    }
    return encoders.opened.at(-1)!;
  };
  assert.ok((await speak(Number.POSITIVE_INFINITY)).isClosed);
  const left = await speak(3);
  assert.equal(left.pictures.length, 3);
  assert.ok(left.isClosed);
  assert.equal(speaker.speaking, 0);
});
