import assert from "node:assert/strict";
import { test } from "node:test";
import { declareColours } from "../../compositor/h264/declare-colours.ts";
import { NAL_SEQUENCE_PARAMETERS, nalUnit } from "../../compositor/h264/nal-unit.ts";
import { sequenceParameterSet } from "../../compositor/h264/parameter-sets.ts";
import { VideoEncoderError, type VideoEncoderErrorCode } from "../../speak/whole-frame-encoder.ts";
import { MinorCollector } from "./minor-collector.ts";
import { openEncoders } from "./open-encoders.ts";
import { WebCodecsFrameEncoder } from "./webcodecs-encoder.ts";
import {
  loadWebCodecs,
  type WebCodecs,
  type WebCodecsChunk,
  type WebCodecsEncoderConfig,
} from "./webcodecs-module.ts";

const FORMAT = { width: 32, height: 16, framesPerSecond: 25, kilobitsPerSecond: 400 };
const PICTURE = new Uint8Array(32 * 16 * 1.5);

const SETS = nalUnit(
  NAL_SEQUENCE_PARAMETERS,
  sequenceParameterSet({ ...FORMAT, maxKilobitsPerSecond: 400 }),
);
const PICTURE_SET = Uint8Array.of(0, 0, 0, 1, 0x68, 9);
const REMARK = Uint8Array.of(0, 0, 1, 6, 5, 4);
const IDR = Uint8Array.of(0, 0, 1, 0x65, 7);
const SLICE = Uint8Array.of(0, 0, 0, 1, 0x41, 8);

interface Given {
  readonly timestamp: number;
  readonly keyFrame: boolean;
}

/** What a fake encoder answers a picture with, from outside of the call: null for nothing. */
type Answer = (given: Given, n: number) => WebCodecsChunk | Error | null;

function chunkOf(timestamp: number, type: "key" | "delta", ...units: Uint8Array[]): WebCodecsChunk {
  const bytes = Buffer.concat(units);
  return { type, timestamp, byteLength: bytes.length, copyTo: (out) => out.set(bytes) };
}

const sound: Answer = ({ timestamp, keyFrame }) =>
  keyFrame
    ? chunkOf(timestamp, "key", SETS, PICTURE_SET, REMARK, IDR)
    : chunkOf(timestamp, "delta", SLICE, SLICE);

function fake(answer: Answer) {
  const configs: WebCodecsEncoderConfig[] = [];
  const given: Given[] = [];
  const open = { frames: 0, encoders: 0 };
  class VideoFrame {
    readonly timestamp: number;
    constructor(_data: Uint8Array, { timestamp }: { timestamp: number }) {
      this.timestamp = timestamp;
      open.frames++;
    }
    close(): void {
      open.frames--;
    }
  }
  class VideoEncoder {
    state = "unconfigured";
    readonly #init: ConstructorParameters<WebCodecs["VideoEncoder"]>[0];
    constructor(init: ConstructorParameters<WebCodecs["VideoEncoder"]>[0]) {
      this.#init = init;
      open.encoders++;
    }
    configure(config: WebCodecsEncoderConfig): void {
      if (config.width > 4096) throw new TypeError("too wide");
      this.state = "configured";
      configs.push(config);
    }
    encode(frame: { close(): void }, { keyFrame }: { readonly keyFrame: boolean }): void {
      const { timestamp } = frame as VideoFrame;
      const found = answer({ timestamp, keyFrame }, given.length);
      given.push({ timestamp, keyFrame });
      if (!found) return;
      setImmediate(() => {
        if (found instanceof Error) this.#init.error(found);
        else this.#init.output(found);
      });
    }
    close(): void {
      assert.notEqual(this.state, "closed", "a real one throws");
      this.state = "closed";
      open.encoders--;
    }
  }
  const webcodecs: WebCodecs = { VideoEncoder, VideoFrame };
  const collector = new MinorCollector(() => {});
  const encoder = (limitMs = 5000, format = FORMAT) =>
    new WebCodecsFrameEncoder({ webcodecs, format, collector, limitMs });
  return { webcodecs, configs, given, open, encoder };
}

const isError = (code: VideoEncoderErrorCode, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof VideoEncoderError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

test("a picture in, its own access unit out, and nothing else in it", async () => {
  const { encoder, given, open, configs } = fake(sound);
  const each = encoder();
  const key = await each.encode(PICTURE, true);
  assert.deepEqual(key, { parts: [declareColours(SETS), PICTURE_SET, IDR], isKeyFrame: true });
  assert.deepEqual(await each.encode(PICTURE, false), { parts: [SLICE, SLICE], isKeyFrame: false });
  assert.deepEqual(given, [
    { timestamp: 0, keyFrame: true },
    { timestamp: 40_000, keyFrame: false },
  ]);
  assert.equal(configs[0]!.bitrate, 400_000);
  assert.equal(configs[0]!.bitrateMode, "constant");
  assert.equal(open.frames, 0);
  each.close();
  each.close();
  assert.equal(open.encoders, 0);
});

test("an encoder that holds a picture back, or hangs, is given up after the limit", async () => {
  const { encoder, open } = fake((given, n) => (n === 0 ? sound(given, n) : null));
  const each = encoder(30);
  await each.encode(PICTURE, true);
  await assert.rejects(each.encode(PICTURE, false), isError("timeout", /no frame for 30 ms/));
  assert.deepEqual(open, { frames: 0, encoders: 0 });
  await assert.rejects(each.encode(PICTURE, false), isError("timeout", /no frame for 30 ms/));
});

test("what is not the picture's own access unit is an error", async () => {
  const late: Answer = (given, n) => sound({ ...given, timestamp: 40_000 * (n - 1) }, n);
  const bad: readonly Answer[] = [
    late,
    ({ timestamp }) => chunkOf(timestamp, "key", IDR),
    ({ timestamp }) => chunkOf(timestamp, "delta", PICTURE_SET),
    ({ timestamp }) => chunkOf(timestamp, "delta", Uint8Array.of(1, 2, 3)),
    ({ timestamp }) => chunkOf(timestamp, "key", SETS.subarray(0, 9), PICTURE_SET, IDR),
  ];
  for (const answer of bad) {
    const { encoder, open } = fake(answer);
    const failing = encoder().encode(PICTURE, true);
    await assert.rejects(failing, isError("failed", /gave no access unit/));
    assert.equal(open.encoders, 0);
  }
});

test("an encoder that breaks says why, then and later", async () => {
  const { encoder } = fake(() => new Error("out of memory"));
  const each = encoder();
  await assert.rejects(each.encode(PICTURE, true), isError("failed", /out of memory/));
  await assert.rejects(each.encode(PICTURE, true), isError("failed", /out of memory/));
  assert.throws(
    () => fake(sound).encoder(9, { ...FORMAT, width: 5000 }),
    isError("failed", /cannot do 5000x16/),
  );
});

test("one picture at a time; closing ends the one under way", async () => {
  const { encoder, open } = fake(() => null);
  const each = encoder();
  const first = each.encode(PICTURE, true);
  await assert.rejects(each.encode(PICTURE, false), TypeError);
  each.close();
  await assert.rejects(first, isError("closed", /closed/));
  assert.deepEqual(open, { frames: 0, encoders: 0 });
});

test("garbage is collected after a second's worth of pictures", () => {
  let collected = 0;
  const collector = new MinorCollector(() => collected++);
  for (let n = 0; n < 100; n++) collector.count(1280 * 720 * 1.5);
  assert.equal(collected, 4);
  // V8's own.
  new MinorCollector().count(64 * 1024 * 1024);
});

test("an edge starts only with an encoder that answers at once", async () => {
  const { webcodecs, open } = fake(sound);
  const encoders = await openEncoders(webcodecs);
  assert.equal(open.encoders, 0);
  encoders.open({ ...FORMAT, kilobitsPerSecond: null }).close();
  await assert.rejects(openEncoders(fake(() => null).webcodecs, 20), {
    name: "SettingsError",
    message: /video\.whole_frames.*no use here.*no frame for 20 ms/,
  });
});

test("a package that is missing, or another, is named with the command that installs it", async () => {
  await assert.rejects(
    loadWebCodecs(() => Promise.reject(new Error("Cannot find package"))),
    {
      name: "SettingsError",
      message: /GPL.*npm install --no-save @napi-rs\/webcodecs@\d.*Cannot find package/,
    },
  );
  await assert.rejects(
    loadWebCodecs(async () => ({ VideoEncoder: 1 })),
    { name: "SettingsError", message: /has no VideoEncoder/ },
  );
});
