// What the coder reconstructs is what ffmpeg decodes: every sample of every
// frame, with error detection set to give up at the first doubt.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pictureOf } from "../../edge/compositor/h264/picture.ts";
import { SeededRandom } from "../fuzz/random.ts";
import { assertShown, type Expected, playRandomly, randomTrack } from "../support/h264-streams.ts";
import { TinyH264 } from "../support/tiny-h264.ts";

const FRAMES = Number(process.env.H264_FRAMES ?? 10_000);
const FRAMES_PER_STREAM = 50;
const SEED = Number(process.env.H264_SEED ?? 1);

const folder = mkdtempSync(join(tmpdir(), "mouthpiece-h264-"));
after(() => rmSync(folder, { recursive: true }));

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

function compare(played: readonly Expected[], where: string): void {
  const { width, height } = played[0]!.picture;
  const decoded = decode(played.map(({ bytes }) => bytes));
  const frameBytes = (width * height * 3) / 2;
  assert.equal(decoded.length, frameBytes * played.length, where);
  for (const [n, expected] of played.entries()) {
    const bytes = decoded.subarray(n * frameBytes, (n + 1) * frameBytes);
    assertShown(pictureOf(bytes, width, height), expected, `frame ${n} of ${where}`);
  }
}

test(`${FRAMES} frames of random sessions, with all that can change in them`, async () => {
  const tiny = await TinyH264.open();
  for (let seed = SEED; (seed - SEED) * FRAMES_PER_STREAM < FRAMES; seed++) {
    const random = new SeededRandom(seed);
    const track = await randomTrack(random, 2 + random.below(20));
    const played = playRandomly(random, track, FRAMES_PER_STREAM);
    const where = `seed ${seed}: ${track.what}`;
    compare(played, where);
    // Behind IDR variants, two decoders at least agree with each other.
    const { width, height } = played[0]!.picture;
    const decoded = decode(played.map(({ bytes }) => bytes));
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
