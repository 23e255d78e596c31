// MP4 files as ffmpeg has them: every sample of every picture, and what is heard
// when it is seen, in what is streamed and in what is written as a file.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { writeMp4File } from "../../edge/container/mp4-file.ts";
import type { Mp4Input } from "../../edge/container/mp4-input.ts";
import { createMp4Stream } from "../../edge/container/mp4-stream.ts";
import { SeededRandom } from "../fuzz/random.ts";
import { annexB, each, flashFilm, MemorySink, pieces, playTrack } from "../support/films.ts";
import { randomTrack } from "../support/h264-streams.ts";
import { delayOf, likeness, sampleSpeech } from "../support/sample-speech.ts";

const RATE = 16_000;
/** Time between sound and picture that the test allows. */
const SYNC_S = 0.005;

const folder = mkdtempSync(join(tmpdir(), "mouthpiece-mp4-"));
after(() => rmSync(folder, { recursive: true }));

const WRITERS = {
  stream: async (input: Mp4Input) =>
    new Response(createMp4Stream(input, AbortSignal.timeout(20_000))).bytes(),
  file: async (input: Mp4Input) => {
    const sink = new MemorySink();
    await writeMp4File(input, sink, AbortSignal.timeout(20_000));
    return sink.bytes;
  },
};

function run(command: string, args: readonly string[]): Buffer {
  const { stdout, stderr, status } = spawnSync(command, args, { maxBuffer: 1 << 30 });
  const remarks = stderr
    .toString()
    .split("\n")
    .filter((line) => line !== "" && !line.includes("Possibly too many slices"));
  assert.deepEqual(remarks, []);
  assert.equal(status, 0);
  return stdout;
}

function decode(bytes: Uint8Array, format: "h264" | "mp4", output: readonly string[]): Buffer {
  const file = join(folder, `film.${format}`);
  writeFileSync(file, bytes);
  const strict = ["-v", "warning", "-err_detect", "explode", "-flags", "unaligned"];
  return run("ffmpeg", [...strict, "-f", format, "-i", file, ...output, "-"]);
}

const PICTURES = [
  "-map",
  "0:v",
  "-fps_mode",
  "passthrough",
  "-enc_time_base",
  "-1",
  "-f",
  "rawvideo",
  "-pix_fmt",
  "yuv420p",
];
const SOUND = ["-map", "0:a", "-f", "s16le"];

/** Of each frame that a decoder puts out, in seconds. */
function times(bytes: Uint8Array, stream: "v" | "a"): number[] {
  const file = join(folder, "probed.mp4");
  writeFileSync(file, bytes);
  const args = ["-v", "warning", "-select_streams", stream, "-show_entries", "frame=pts_time"];
  const lines = run("ffprobe", [...args, "-of", "csv=p=0", file])
    .toString()
    .trim()
    .split("\n");
  return lines.map((line) => Number.parseFloat(line));
}

function probe(bytes: Uint8Array) {
  const file = join(folder, "probed.mp4");
  writeFileSync(file, bytes);
  const args = ["-v", "warning", "-show_streams", "-show_format", "-of", "json", file];
  return JSON.parse(run("ffprobe", args).toString()) as {
    readonly streams: readonly Record<string, string | number>[];
    readonly format: Record<string, string>;
  };
}

function samples(bytes: Uint8Array): Int16Array {
  const decoded = decode(bytes, "mp4", SOUND);
  return new Int16Array(new Uint8Array(decoded).buffer);
}

for (const [kind, write] of Object.entries(WRITERS)) {
  describe(`a ${kind}`, () => {
    test("has the pictures of the byte stream, sample by sample", async () => {
      for (let seed = 1; seed <= 12; seed++) {
        const random = new SeededRandom(seed);
        const { track, what } = await randomTrack(random, 2 + random.below(20));
        const preRoll = random.below(2) * random.below(25);
        const pictures = playTrack(random, track, { frames: 1 + random.below(60), preRoll });
        const { width, height } = track.format;
        const bytes = await write({ width, height, pictures: each(pictures), speech: null });
        const expected = decode(annexB(pictures), "h264", PICTURES);
        const found = decode(bytes, "mp4", PICTURES);
        const frameBytes = (width * height * 3) / 2;
        // In fragmented files ffmpeg puts the pre-roll out, before 0: see `picture-samples.ts`.
        const hidden = kind === "file" ? preRoll : 0;
        const where = `seed ${seed}, ${preRoll} before: ${what}`;
        assert.equal(found.length, expected.length - hidden * frameBytes, where);
        assert.ok(found.equals(expected.subarray(hidden * frameBytes)), where);
        const shown = times(bytes, "v").slice(kind === "file" ? 0 : preRoll);
        for (const [n, time] of shown.entries()) {
          assert.ok(Math.abs(time - n * 0.04) < 0.001, `picture ${n} at ${time} s; ${where}`);
        }
      }
    });

    for (const preRoll of [0, 24]) {
      test(`shows what is heard, ${preRoll} pictures of pre-roll before it`, async () => {
        const film = await flashFilm({ frames: 130, preRoll, flashes: [30, 75, 110] });
        const { width, height, pictures, speech } = film;
        const input = {
          width,
          height,
          pictures: each(pictures),
          speech: each(pieces(speech, 777)),
        };
        const bytes = await write(input);

        const raw = decode(bytes, "mp4", PICTURES);
        const frameBytes = (width * height * 3) / 2;
        const at = times(bytes, "v");
        assert.equal(at.length, raw.length / frameBytes);
        const seen = at.filter((_, n) => {
          const luma = (index: number) => raw[index * frameBytes] ?? 0;
          return luma(n) > 200 && luma(n - 1) < 200;
        });

        const [start] = times(bytes, "a");
        const sound = samples(bytes);
        const heard: number[] = [];
        for (let n = 0; n < sound.length; n++) {
          const time = start! + n / RATE;
          if (Math.abs(sound[n]!) < 3_000 || time - (heard.at(-1) ?? -1) < 0.5) continue;
          heard.push(time);
        }
        assert.equal(seen.length, 3);
        assert.equal(heard.length, 3);
        for (const [n, time] of seen.entries()) {
          assert.ok(Math.abs(time - [1.2, 3, 4.4][n]!) < 0.001, `seen at ${time}`);
          assert.ok(Math.abs(time - heard[n]!) < SYNC_S, `seen at ${time}, heard at ${heard[n]}`);
        }
      });
    }

    test("says how long it is, and what is in it", async () => {
      const speech = (await sampleSpeech()).subarray(0, 5.3 * RATE);
      const film = await flashFilm({ frames: 140, preRoll: 10, flashes: [3] });
      const { width, height, pictures } = film;
      const input = {
        width,
        height,
        pictures: each(pictures),
        speech: each(pieces(speech, 3_200)),
      };
      const bytes = await write(input);
      const { streams, format } = probe(bytes);
      const [video, audio] = streams;
      assert.equal(streams.length, 2);
      assert.equal(video!.codec_name, "h264");
      assert.equal(video!.codec_tag_string, "avc1");
      assert.deepEqual([video!.width, video!.height], [width, height]);
      assert.equal(video!.color_space, "bt709");
      assert.equal(audio!.codec_name, "aac");
      assert.equal(audio!.profile, "LC");
      assert.deepEqual([audio!.sample_rate, audio!.channels], ["16000", 1]);
      const seconds = Number(format.duration);
      assert.ok(Math.abs(seconds - 5.6) < (kind === "file" ? 0.001 : 0.07), `${seconds} s`);

      const [start] = times(bytes, "a");
      const sound = samples(bytes).subarray(Math.round(-start! * RATE));
      const delay = delayOf(sound, speech, 200);
      assert.ok(Math.abs(delay) <= SYNC_S * RATE, `${delay} samples late`);
      assert.ok(likeness(sound, speech, delay) > 0.98);
      assert.ok(Math.abs(sound.length - speech.length) <= 1_024, `${sound.length} samples`);
    });
  });
}
