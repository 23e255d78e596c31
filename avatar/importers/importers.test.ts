import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createImageCodecs } from "../image/codecs.ts";
import type { Rectangle } from "../rectangle.ts";
import type { FrameDataset } from "./synctalk.ts";
import { readSynctalkDataset } from "./synctalk.ts";
import { readWebcodectestPackage } from "./webcodectest.ts";

const golden = fileURLToPath(new URL("../../../shared/golden/", import.meta.url));

async function folderOf(t: TestContext, files: Record<string, string | Uint8Array>) {
  const dir = await mkdtemp(join(tmpdir(), "mouthpiece-import-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(dir, name, ".."), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return dir;
}

async function picture(width = 32, height = 24): Promise<Uint8Array> {
  const data = new Uint8ClampedArray(width * height * 4).fill(200);
  return createImageCodecs().encodeJpeg({ width, height, data }, { quality: 90 });
}

/** 110 landmarks, of which 1, 31 and 52 span the rectangle. */
function landmarks(x: number, y: number, side: number): string {
  return Array.from({ length: 110 }, (_, n) => {
    if (n === 31) return `${x + side}.9 3`;
    if (n === 52) return `7 ${y}.7`;
    return `${x}.2 9`;
  }).join("\n");
}

async function rectanglesOf(dataset: FrameDataset): Promise<Rectangle[]> {
  const rectangles: Rectangle[] = [];
  for await (const { rectangle } of dataset.frames()) rectangles.push(rectangle);
  return rectangles;
}

test("SyncTalk_2D: frames in numeric order, rectangles truncated", async (t) => {
  const files: Record<string, string | Uint8Array> = {};
  for (let n = 0; n < 11; n++) {
    files[`full_body_img/${n}.jpg`] = await picture();
    files[`landmarks/${n}.lms`] = landmarks(n, 4, 10);
  }
  const dataset = await readSynctalkDataset(await folderOf(t, files));
  assert.equal(dataset.frameCount, 11);
  assert.equal(dataset.extension, "jpg");
  const expected = Array.from({ length: 11 }, (_, n) => ({ x: n, y: 4, width: 10, height: 10 }));
  assert.deepEqual(await rectanglesOf(dataset), expected);
});

test("what is wrong with a dataset is told with its file", async (t) => {
  const jpg = await picture();
  const lms = landmarks(1, 2, 8);
  const cases: [Record<string, string | Uint8Array>, RegExp][] = [
    [{}, /no folder .*full_body_img/],
    [{ "full_body_img/readme.txt": "" }, /no frames like 0\.jpg/],
    [{ "full_body_img/0.jpg": jpg, "full_body_img/2.jpg": jpg }, /frame 1 is missing/],
    [{ "full_body_img/0.jpg": jpg }, /no file .*0\.lms/],
    [{ "full_body_img/0.jpg": jpg, "landmarks/0.lms": "1 2\n3" }, /0\.lms, line 2/],
    [{ "full_body_img/0.jpg": jpg, "landmarks/0.lms": "1 2" }, /1 landmarks, expected 110/],
    [{ "full_body_img/0.jpg": jpg, "landmarks/0.lms": landmarks(9, 2, -5) }, /no mouth rectangle/],
    [{ "full_body_img/0.jpg": "not a picture", "landmarks/0.lms": lms }, /0\.jpg: /],
  ];
  for (const [files, message] of cases) {
    const dir = await folderOf(t, files);
    await assert.rejects(async () => rectanglesOf(await readSynctalkDataset(dir)), message);
  }
});

test("webcodectest: rectangles in every form, frames counted from 1, models found", async (t) => {
  const jpg = await picture();
  const forms: object[] = [
    { 0: { rect: [1, 2, 11, 14] }, 1: { rect: [3, 4, 13, 16] } },
    [
      [1.5, 2.9, 11.1, 14],
      [3, 4, 13, 16],
    ],
    [
      { x: 1, y: 2, width: 10, height: 12 },
      { x1: 3, y1: 4, x2: 13, y2: 16 },
    ],
  ];
  for (const [i, form] of forms.entries()) {
    const dir = await folderOf(t, {
      "package_info.json": "{}",
      [i === 0 ? "cache/crop_rectangles.json" : "crop_rects.json"]: JSON.stringify(form),
      "full_body_img/1.jpg": jpg,
      "full_body_img/2.jpg": jpg,
      "models/generator.onnx": "x",
      "models/audio_encoder.onnx": "x",
    });
    const found = await readWebcodectestPackage(dir);
    assert.deepEqual(await rectanglesOf(found), [
      { x: 1, y: 2, width: 10, height: 12 },
      { x: 3, y: 4, width: 10, height: 12 },
    ]);
    assert.equal(found.modelPath, join(dir, "models/generator.onnx"));
    assert.equal(found.encoderPath, join(dir, "models/audio_encoder.onnx"));
  }
});

test("webcodectest: what is missing is told", async (t) => {
  const jpg = await picture();
  const cases: [Record<string, string | Uint8Array>, RegExp][] = [
    [{}, /package_info\.json/],
    [{ "package_info.json": "{}", "crop_rects.json": "[]" }, /no frames/],
    [{ "package_info.json": "{}", "crop_rects.json": "[", "frames/0.jpg": jpg }, /not JSON/],
    [{ "package_info.json": "{}", "crop_rects.json": "[7]", "frames/0.jpg": jpg }, /x1, y1/],
    [{ "package_info.json": "{}", "crop_rects.json": "[]", "frames/0.jpg": jpg }, /frame 0/],
  ];
  for (const [files, message] of cases) {
    const dir = await folderOf(t, files);
    await assert.rejects(async () => rectanglesOf(await readWebcodectestPackage(dir)), message);
  }
});

test("webcodectest: without ffmpeg a video says what to install", async (t) => {
  const dir = await folderOf(t, {
    "package_info.json": "{}",
    "crop_rects.json": "[]",
    "full_body_video.mp4": "x",
  });
  const path = process.env.PATH;
  process.env.PATH = dir;
  t.after(() => {
    process.env.PATH = path;
  });
  await assert.rejects(readWebcodectestPackage(dir), /install ffmpeg/);
});

test("rectangles of the golden dataset", async (t) => {
  const folder = join(golden, "synctalk");
  if (!existsSync(folder)) {
    t.diagnostic("the golden data is not here: the comparison did not run");
    return;
  }
  const rectangles = await rectanglesOf(await readSynctalkDataset(join(folder, "dataset")));
  const { frames } = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as {
    frames: { background: number; rect: number[] }[];
  };
  for (const { background, rect } of frames) {
    const { x, y, width, height } = rectangles[background]!;
    assert.deepEqual([x, y, x + width, y + height], rect);
  }
});
