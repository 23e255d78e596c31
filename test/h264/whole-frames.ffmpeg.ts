// Whole frames by the real encoder, as ffmpeg decodes them. The package comes
// from the registry into a folder of its own: `npm ci` does not install it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import { rgbaToRgb } from "../../avatar/image/crop.ts";
import { main } from "../../cli/main.ts";
import { PictureConverter } from "../../edge/compositor/h264/rgb-to-picture.ts";
import { openEncoders } from "../../edge/runtime/webcodecs/open-encoders.ts";
import { loadWebCodecs } from "../../edge/runtime/webcodecs/webcodecs-module.ts";
import type { WholeFrameEncoders } from "../../edge/speak/whole-frame-encoder.ts";
import { readParts, startSystem } from "../support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "../support/tiny-avatar.ts";
import { type InstalledPackage, installWebCodecs } from "../support/webcodecs-package.ts";

const FORMAT = { width: 640, height: 360, framesPerSecond: 25, kilobitsPerSecond: null };
const LUMA = FORMAT.width * FORMAT.height;
const BYTES = LUMA * 1.5;

const folder = mkdtempSync(join(tmpdir(), "mouthpiece-whole-"));
let installed: InstalledPackage;
let encoders: WholeFrameEncoders;

before(async () => {
  installed = await installWebCodecs();
  encoders = await openEncoders(await loadWebCodecs(installed.load));
});
after(async () => {
  rmSync(folder, { recursive: true });
  await installed?.remove();
});

function run(command: string, args: readonly string[]): Buffer {
  const { stdout, stderr, status } = spawnSync(command, args, { maxBuffer: 1 << 30 });
  assert.equal(stderr.toString(), "");
  assert.equal(status, 0);
  return stdout;
}

/** I420, picture after picture. */
function decode(bytes: Uint8Array, format = "h264"): Buffer {
  const file = join(folder, `film.${format}`);
  writeFileSync(file, bytes);
  const strict = ["-v", "warning", "-err_detect", "explode", "-f", format, "-i", file];
  const pictures = ["-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "-1"];
  return run("ffmpeg", [...strict, ...pictures, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]);
}

function probe(bytes: Uint8Array): Record<string, string | number> {
  const file = join(folder, "probed.h264");
  writeFileSync(file, bytes);
  const args = ["-v", "warning", "-show_streams", "-of", "json", file];
  return JSON.parse(run("ffprobe", args).toString()).streams[0];
}

/** Peak signal-to-noise ratio, in dB. */
function psnr(a: Uint8Array, b: Uint8Array): number {
  assert.equal(a.length, b.length);
  let sum = 0;
  for (const [n, value] of a.entries()) sum += (value - b[n]!) ** 2;
  return 10 * Math.log10((255 * 255 * a.length) / Math.max(1, sum));
}

/** A still scene with something lively in its middle, like an avatar. `other` shifts all of it. */
function scene(n: number, other = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(BYTES).fill(128);
  const { width, height } = FORMAT;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isMouth = Math.abs(x - 320) < 60 && Math.abs(y - 200) < 40;
      const still = 120 + 60 * Math.sin(x / 37 + other) * Math.cos(y / 23);
      bytes[y * width + x] = isMouth
        ? 128 + 80 * Math.sin((x + 9 * n) / 7 + y / (5 + (n % 9)))
        : still;
    }
  }
  return bytes;
}

async function spokenBy(root: string, formats: readonly string[]) {
  const edge = { video: { whole_frames: true } };
  const system = await startSystem(root, { edge, importWebCodecs: installed.load });
  try {
    const list = await fetch(`${system.edge.url}/v1/avatars`);
    const { avatars } = (await list.json()) as { avatars: { formats: string[] }[] };
    assert.deepEqual(avatars[0]!.formats, ["png", "jpeg", "h264"]);
    const answers: Response[] = [];
    for (const format of formats) {
      const url = `${system.edge.url}/v1/avatars/tiny/speak?format=${format}&start=2`;
      const headers = { "content-type": "audio/wav" };
      const response = await fetch(url, { method: "POST", headers, body: wavFile(tone(24_000)) });
      assert.equal(response.status, 200);
      const metrics = await (await fetch(`${system.edge.url}/metrics`)).text();
      // One for each background, however often it is shown.
      if (format !== "png") assert.match(metrics, /^mouthpiece_edge_pictures_made_total 4$/m);
      answers.push(new Response(await response.bytes(), { headers: response.headers }));
    }
    return answers;
  } finally {
    await system.stop();
  }
}

describe("an avatar without a video track", () => {
  for (const kind of ["as it was imported", "published with a soft edge, without plain frames"]) {
    test(`${kind}: decoded frames look like the PNG frames`, async (t) => {
      const imported = await temporaryFolder(t);
      let root = imported;
      await writeTinyAvatar(imported, "tiny");
      if (kind.startsWith("published")) {
        root = await temporaryFolder(t);
        const args = ["publish", "tiny", "--root", imported, "--to", root, "--soft-edge", "6"];
        assert.equal(await main([...args, "--formats", "png,jpeg", "--json"]), 0);
      }
      const [video, png, mp4] = await spokenBy(root, ["h264", "png", "mp4"]);
      const units = await readParts(video!);
      const images = await readParts(png!);
      assert.equal(units.length, images.length);
      const bytes = Buffer.concat(units.map(({ body }) => body));
      const found = decode(bytes);
      const converter = new PictureConverter();
      const { decode: decodeImage } = createImageCodecs();
      for (const [n, { headers, body }] of images.entries()) {
        const image = rgbaToRgb(await decodeImage(body));
        const picture = converter.convertBytes(image);
        const shown = found.subarray(n * picture.length, (n + 1) * picture.length);
        const ratio = psnr(shown, picture);
        assert.ok(ratio > 32, `frame ${n}: ${ratio} dB`);
        const { headers: said } = units[n]!;
        assert.equal(said.get("frame-number"), headers.get("frame-number"));
        assert.equal(said.get("background-index"), headers.get("background-index"));
        assert.equal(said.get("key-frame"), n === 0 ? "1" : null);
      }
      const stream = probe(bytes);
      assert.deepEqual(
        [stream.color_space, stream.color_primaries, stream.color_transfer, stream.color_range],
        ["bt709", "bt709", "bt709", "tv"],
      );
      assert.equal(stream.has_b_frames, 0);
      // In the film there are the same pictures.
      const film = decode(new Uint8Array(await mp4!.arrayBuffer()), "mp4");
      assert.equal(film.length, found.length);
      assert.ok(film.equals(found));
    });
  }
});

describe("the encoder", () => {
  test("gives each picture's access unit before the next picture, key frames when asked", async () => {
    const encoder = encoders.open(FORMAT);
    const units: Uint8Array[] = [];
    const scenes = Array.from({ length: 40 }, (_, n) => scene(n));
    for (const [n, picture] of scenes.entries()) {
      const given = picture.slice();
      const encoding = encoder.encode(given, n === 17);
      // It has been read: whoever places the next mouth writes over it.
      given.fill(0);
      const { parts, isKeyFrame } = await encoding;
      assert.equal(isKeyFrame, n === 0 || n === 17, `picture ${n}`);
      units.push(...parts);
    }
    encoder.close();
    const decoded = decode(Buffer.concat(units));
    assert.equal(decoded.length, 40 * BYTES);
    for (const [n, picture] of scenes.entries()) {
      const ratio = psnr(decoded.subarray(n * BYTES, (n + 1) * BYTES), picture);
      assert.ok(ratio > 35, `picture ${n}: ${ratio} dB`);
    }
    // From a key frame on, a decoder needs nothing that was before it.
    const from = units.findLastIndex((unit) => (unit[unit.indexOf(1) + 1]! & 31) === 7);
    const rest = decode(Buffer.concat(units.slice(from)));
    assert.ok(rest.equals(decoded.subarray(17 * BYTES)));
  });

  test("keeps streams apart", async () => {
    const two = [0, 2].map((other) => ({
      other,
      encoder: encoders.open(FORMAT),
      units: [] as Uint8Array[],
    }));
    for (let n = 0; n < 10; n++) {
      await Promise.all(
        two.map(async ({ other, encoder, units }) => {
          const { parts } = await encoder.encode(scene(n, other), false);
          units.push(...parts);
        }),
      );
    }
    for (const { other, encoder, units } of two) {
      encoder.close();
      const decoded = decode(Buffer.concat(units));
      assert.ok(psnr(decoded.subarray(9 * BYTES), scene(9, other)) > 35);
    }
  });

  test("takes the bits that it is given", async () => {
    const rates: number[] = [];
    for (const kilobitsPerSecond of [150, 300, 600]) {
      const encoder = encoders.open({ ...FORMAT, kilobitsPerSecond });
      let bytes = 0;
      for (let n = 0; n < 150; n++) {
        const { parts } = await encoder.encode(scene(n), false);
        // The first second has the key frame's burst, which the next ones pay back.
        bytes += parts.reduce((sum, { length }) => sum + length, 0);
      }
      encoder.close();
      rates.push((8 * bytes) / 6 / 1000);
    }
    for (const [n, wanted] of [150, 300, 600].entries()) {
      const rate = rates[n]!;
      assert.ok(rate < 1.25 * wanted, `${rate} kbit/s of ${wanted}`);
    }
    assert.ok(rates[0]! < rates[1]! && rates[1]! < rates[2]!, rates.join(" "));
  });

  test("keeps no memory", async () => {
    const size = { ...FORMAT, width: 1280, height: 720 };
    const picture = new Uint8Array(1280 * 720 * 1.5).fill(100);
    const encoder = encoders.open(size);
    const encode = async (frames: number) => {
      for (let n = 0; n < frames; n++) {
        picture.fill(n % 200, 1280 * (n % 700), 1280 * (n % 700) + 9000);
        await encoder.encode(picture, false);
      }
      return process.memoryUsage().rss / 1e6;
    };
    const early = await encode(100);
    const late = await encode(400);
    encoder.close();
    // 400 pictures have 553 MB.
    assert.ok(late - early < 120, `${Math.round(early)} MB, then ${Math.round(late)} MB`);
  });
});
