import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createImageCodecs } from "../image/codecs.ts";
import { type FrameDataset, readSynctalkDataset } from "./synctalk.ts";
import { readWebcodectestPackage } from "./webcodectest.ts";

async function folderOf(t: TestContext, files: Record<string, string | Uint8Array>) {
  const dir = await mkdtemp(join(tmpdir(), "mouthpiece-layout-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(dir, name, ".."), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return dir;
}

async function picture(grey: number): Promise<Uint8Array> {
  const data = new Uint8ClampedArray(32 * 24 * 4).fill(grey);
  return createImageCodecs().encodeJpeg({ width: 32, height: 24, data }, { quality: 90 });
}

/** Mouth rectangle at `x`, 4; 10 pixels a side. */
function landmarks(x: number): string {
  return Array.from({ length: 110 }, (_, n) => {
    if (n === 31) return `${x + 10} 3`;
    return n === 52 ? "7 4" : `${x} 9`;
  }).join("\n");
}

/** Left edge of each frame's rectangle, and the frame's grey. */
async function framesOf(dataset: FrameDataset): Promise<[x: number, grey: number][]> {
  const frames: [number, number][] = [];
  for await (const { image, rectangle } of dataset.frames()) {
    frames.push([rectangle.x, Math.round(image.data[0]! / 10) * 10]);
  }
  return frames;
}

// As cvoalex/webcodectest publishes its example package.
const PACKAGE_INFO = JSON.stringify({
  package_type: "mp4_video_package",
  package_version: "2.0",
  dataset_name: "sanders",
  original_shape: [328, 328],
  videos: { full_body_img: { video_file: "full_body_video.mp4", frame_count: 2, fps: 25 } },
  onnx: { file: "checkpoint\\model_best.onnx", opset: 17, asr_mode: "ave" },
});
const cachedRectangle = (x: number) => ({
  rect: [x, 4, x + 10, 14],
  original_path: ".\\dataset\\sanders\\full_body_img\\0.jpg",
  crop_328_path: ".\\dataset\\sanders\\cache\\crops_328\\0.jpg",
});

test("a published package: its servers' frame names, cached rectangles, the model it names", async (t) => {
  const dir = await folderOf(t, {
    "package_info.json": PACKAGE_INFO,
    "cache/crop_rectangles.json": JSON.stringify({ 0: cachedRectangle(1), 1: cachedRectangle(2) }),
    "frames/frame_000000.jpg": await picture(50),
    "frames/frame_000001.jpg": await picture(100),
    "checkpoint/model_best.onnx": "x",
    "models/generator.onnx": "x",
  });
  const found = await readWebcodectestPackage(dir);
  assert.deepEqual(await framesOf(found), [
    [1, 50],
    [2, 100],
  ]);
  assert.equal(found.modelPath, join(dir, "checkpoint/model_best.onnx"));
  assert.equal(found.encoderPath, null);
});

test("rectangles may lie under `rects`", async (t) => {
  const list = [
    [1, 4, 11, 14],
    [2, 4, 12, 14],
  ];
  for (const rects of [list, { 0: list[0], 1: list[1] }]) {
    const dir = await folderOf(t, {
      "package_info.json": "{}",
      "crop_rects.json": JSON.stringify({ rects }),
      "full_body_img/0.jpg": await picture(50),
      "full_body_img/1.jpg": await picture(100),
    });
    assert.deepEqual(await framesOf(await readWebcodectestPackage(dir)), [
      [1, 50],
      [2, 100],
    ]);
  }
});

test("a package_info.json that is none is told", async (t) => {
  for (const [content, message] of [
    ["{", /package_info\.json is not JSON/],
    ['{"onnx": {"file": 3}}', /onnx\.file/],
  ] as const) {
    const dir = await folderOf(t, {
      "package_info.json": content,
      "crop_rects.json": "[]",
      "frames/0.jpg": await picture(50),
    });
    await assert.rejects(readWebcodectestPackage(dir), message);
  }
});

test("an empty frame folder gives way to the video, whose frames come in order", async (t) => {
  if (spawnSync("ffmpeg", ["-version"]).status !== 0) {
    t.diagnostic("ffmpeg is not installed: decoding a video was not tried");
    return;
  }
  const dir = await folderOf(t, {
    "package_info.json": PACKAGE_INFO,
    "crop_rects.json": JSON.stringify(Array.from({ length: 12 }, (_, n) => [n, 4, n + 10, 14])),
  });
  await mkdir(join(dir, "frames"));
  const raw = Buffer.concat(
    Array.from({ length: 12 }, (_, n) => Buffer.alloc(32 * 24 * 3, 20 * n)),
  );
  const encoded = spawnSync(
    "ffmpeg",
    [
      ...["-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "32x24", "-r", "25"],
      ...["-i", "-", "-c:v", "mpeg4", "-q:v", "1", "-f", "mp4", join(dir, "full_body_video.mp4")],
    ],
    { input: raw },
  );
  assert.equal(encoded.status, 0, encoded.stderr.toString());
  const frames = await framesOf(await readWebcodectestPackage(dir));
  assert.deepEqual(
    frames,
    Array.from({ length: 12 }, (_, n) => [n, 20 * n]),
  );
});

test("SyncTalk_2D: frame and landmarks belong together by their number", async (t) => {
  const dir = await folderOf(t, {
    "full_body_img/1.jpg": await picture(50),
    "full_body_img/2.jpg": await picture(100),
    "landmarks/1.lms": landmarks(11),
    "landmarks/2.lms": landmarks(12),
  });
  assert.deepEqual(await framesOf(await readSynctalkDataset(dir)), [
    [11, 50],
    [12, 100],
  ]);
  await writeFile(join(dir, "landmarks/3.lms"), await readFile(join(dir, "landmarks/2.lms")));
  await assert.rejects(readSynctalkDataset(dir), /3 files for 2 frames/);
});
