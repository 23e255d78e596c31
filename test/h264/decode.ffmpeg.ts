// What the coder reconstructs is what decoders show: every sample of every
// frame, by ffmpeg with error detection set to give up at the first doubt, by
// h264bsd, and by OpenH264 without concealment.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { encodeTrack } from "../../edge/compositor/h264/encode-track.ts";
import { type Picture, pictureOf } from "../../edge/compositor/h264/picture.ts";
import { SeededRandom } from "../fuzz/random.ts";
import {
  assertShown,
  type Expected,
  playRandomly,
  randomPicture,
  randomTrack,
} from "../support/h264-streams.ts";
import { OpenH264 } from "../support/openh264.ts";
import { TinyH264 } from "../support/tiny-h264.ts";

const FRAMES = Number(process.env.H264_FRAMES ?? 10_000);
const FRAMES_PER_STREAM = 50;
const SEED = Number(process.env.H264_SEED ?? 1);

const folder = mkdtempSync(join(tmpdir(), "mouthpiece-h264-"));
after(() => rmSync(folder, { recursive: true }));
let openH264: OpenH264;
before(() => {
  openH264 = OpenH264.build(folder);
});

function decode(units: readonly Uint8Array[]): Buffer {
  const file = join(folder, "stream.h264");
  writeFileSync(file, Buffer.concat(units));
  const args = ["-v", "warning", "-err_detect", "explode", "-flags", "unaligned", "-f", "h264"];
  args.push("-i", file, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-");
  const { stdout, stderr, status } = spawnSync("ffmpeg", args, { maxBuffer: 1 << 30 });
  const remarks = stderr
    .toString()
    .split("\n")
    // Box mode on a tall picture: more slices than its threads like, all of them decoded.
    .filter((line) => line !== "" && !line.includes("Possibly too many slices"));
  assert.deepEqual(remarks, []);
  assert.equal(status, 0);
  return stdout;
}

/** @returns what all decoders show, in I420 */
function compare(played: readonly Expected[], where: string): Buffer {
  const { width, height } = played[0]!.picture;
  const units = played.map(({ bytes }) => bytes);
  const decoded = decode(units);
  const frameBytes = (width * height * 3) / 2;
  assert.equal(decoded.length, frameBytes * played.length, where);
  for (const [n, expected] of played.entries()) {
    const bytes = decoded.subarray(n * frameBytes, (n + 1) * frameBytes);
    assertShown(pictureOf(bytes, width, height), expected, `frame ${n} of ${where}`);
  }
  // Of everything: behind IDR variants, decoders at least agree with each other.
  const same = Buffer.compare(decoded, openH264.decode(units)) === 0;
  assert.ok(same, `OpenH264 shows something else of ${where}`);
  return decoded;
}

test("a box as high as a tall picture: more slices than decoders meet elsewhere", async () => {
  const random = new SeededRandom(SEED);
  const [width, height] = [64, 1280];
  const region = { x: 20, y: 3, width: 17, height: 1270 };
  const pictures = ["waves", "noise", "bars"] as const;
  const shown: Picture[] = [];
  const track = await encodeTrack(
    {
      width,
      height,
      order: pictures.map((_, n) => n),
      regionOf: () => region,
      read: async (n) => randomPicture(random, width, height, pictures[n]!, n),
    },
    {
      framesPerSecond: 25,
      mode: "box",
      onPicture: (coded) => shown.push(coded.shown()),
    },
  );
  assert.equal(track.groups[0]!.map.slices.length, 161);
  const played = playRandomly(random, { track, shown, other: { track, shown }, what: "" }, 30);
  compare(played, "a tall picture");
});

test(`${FRAMES} frames of random sessions, with all that can change in them`, async () => {
  const tiny = await TinyH264.open();
  for (let seed = SEED; (seed - SEED) * FRAMES_PER_STREAM < FRAMES; seed++) {
    const random = new SeededRandom(seed);
    const track = await randomTrack(random, 2 + random.below(20));
    const played = playRandomly(random, track, FRAMES_PER_STREAM);
    const where = `seed ${seed}: ${track.what}`;
    const decoded = compare(played, where);
    const { width, height } = played[0]!.picture;
    const frameBytes = (width * height * 3) / 2;
    for (const [n, { bytes }] of played.entries()) {
      const whole = tiny.decode(bytes);
      const stride = Math.ceil(width / 16) * 16;
      const wholePicture = pictureOf(whole, stride, Math.ceil(height / 16) * 16);
      const own = pictureOf(decoded.subarray(n * frameBytes, (n + 1) * frameBytes), width, height);
      assertShown(
        wholePicture,
        { bytes, picture: own, isExact: true, live: null },
        `h264bsd, frame ${n} of ${where}`,
      );
    }
  }
});

/** What ffmpeg makes of a stream, doubts and all. */
function decodeDamaged(units: readonly Uint8Array[], frameBytes: number): Buffer[] {
  const file = join(folder, "damaged.h264");
  writeFileSync(file, Buffer.concat(units));
  const args = ["-v", "quiet", "-flags", "unaligned", "-f", "h264", "-i", file, "-f", "rawvideo"];
  const { stdout } = spawnSync("ffmpeg", [...args, "-pix_fmt", "yuv420p", "-"], {
    maxBuffer: 1 << 30,
  });
  assert.equal(stdout.length % frameBytes, 0);
  return Array.from({ length: stdout.length / frameBytes }, (_, n) =>
    stdout.subarray(n * frameBytes, (n + 1) * frameBytes),
  );
}

test("slices and whole pictures that are lost: the next key frame heals", async () => {
  let healed = 0;
  for (let seed = SEED; seed < SEED + 8; seed++) {
    const random = new SeededRandom(seed);
    const track = await randomTrack(random, 2 + random.below(20));
    const played = playRandomly(random, track, FRAMES_PER_STREAM);
    const { width, height } = played[0]!.picture;
    const frameBytes = (width * height * 3) / 2;
    const units = played.map(({ bytes }) => bytes);
    const whole = decode(units);
    const keys = units.flatMap((unit, n) => (isKey(unit) ? [n] : []));
    for (const [i, key] of keys.slice(0, -1).entries()) {
      const next = keys[i + 1]!;
      if (next - key < 2) continue;
      // From one key frame to the next: a picture is lost, and a part of another.
      const damaged = [...units];
      const hit = key + 1 + random.below(next - key - 1);
      damaged[hit] = withoutASlice(units[hit]!, random);
      const lost = key + 1 + random.below(next - key - 1);
      damaged.splice(lost, 1);
      const frames = decodeDamaged(damaged, frameBytes);
      const rest = units.length - next;
      const shown = Buffer.concat(frames.slice(-rest));
      const expected = whole.subarray(next * frameBytes);
      assert.ok(shown.equals(expected), `seed ${seed}, from key frame ${next} on`);
      healed++;
    }
  }
  assert.ok(healed > 8, `${healed} losses were tried`);
});

/** nal_unit_type 7: parameter sets come with each key frame, and nowhere else. */
function isKey(unit: Uint8Array): boolean {
  return (unit[4]! & 31) === 7;
}

/** An access unit whose slices have not all arrived. */
function withoutASlice(unit: Uint8Array, random: SeededRandom): Uint8Array {
  const starts: number[] = [];
  for (let at = 0; at + 4 <= unit.length; at++) {
    if (unit[at] === 0 && unit[at + 1] === 0 && unit[at + 2] === 0 && unit[at + 3] === 1) {
      starts.push(at);
    }
  }
  const n = random.below(starts.length);
  return Buffer.concat([unit.subarray(0, starts[n]), unit.subarray(starts[n + 1] ?? unit.length)]);
}
