import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import sharp from "sharp";
import { prepareFrame } from "../../edge/compositor/delivery.ts";
import { joinBytes } from "../../edge/compositor/join-bytes.ts";
import { readPreparedFrame, Splicer } from "../../edge/compositor/splicer.ts";
import { composite, randomFrame, seededRandom } from "../support/composite.ts";
import { temporaryFolder } from "../support/tiny-avatar.ts";
import { startChromium } from "./chromium.ts";

const splicer = new Splicer();

/** Spliced files and the pixels that they stand for, RGBA. */
function makeFiles() {
  return Array.from({ length: 24 }, (_, seed) => {
    const random = seededRandom(seed);
    const size = { width: 40 + random(200), height: 30 + random(150), channels: 3 as const };
    const frame = randomFrame(random, size, seed % 2 === 0 ? "smooth" : "noise");
    const region = { x: random(20), y: random(15), width: 20, height: 15 };
    const mouth = Uint8Array.from({ length: 20 * 15 * 3 }, () => random(256));
    const pixels = composite(frame, region, mouth, 2);
    const rgba = new Uint8ClampedArray(size.width * size.height * 4).fill(255);
    for (let i = 0; i < pixels.length; i++) rgba[4 * Math.floor(i / 3) + (i % 3)] = frame.data[i]!;
    const image = { ...size, data: rgba };
    const jpeg = { format: "jpeg", quality: 90, subsampling: "4:2:0", softEdge: 2 } as const;
    const splice = (delivery: Parameters<typeof prepareFrame>[2]) =>
      joinBytes(splicer.splice(readPreparedFrame(prepareFrame(image, region, delivery)), mouth));
    return { ...size, pixels, png: splice({ format: "png", softEdge: 2 }), jpeg: splice(jpeg) };
  });
}

test("Chromium decodes what is spliced: PNG to the pixel, JPEG as libjpeg does", async (t) => {
  const browser = await startChromium("");
  t.after(() => browser.close());
  const tab = await browser.newPage();
  const decode = (file: Uint8Array, type: string) =>
    tab.evaluate(
      async ([base64, mime]) => {
        const bytes = Uint8Array.from(atob(base64!), (c) => c.charCodeAt(0));
        const image = await createImageBitmap(new Blob([bytes], { type: mime! }));
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext("2d")!;
        context.drawImage(image, 0, 0);
        return [...context.getImageData(0, 0, image.width, image.height).data];
      },
      [Buffer.from(file).toString("base64"), type],
    );
  for (const [n, { pixels, png, jpeg }] of makeFiles().entries()) {
    const fromPng = await decode(png, "image/png");
    const fromJpeg = await decode(jpeg, "image/jpeg");
    const expected = await sharp(jpeg, { failOn: "warning" }).raw().toBuffer();
    let worst = 0;
    for (let i = 0; i < pixels.length; i++) {
      const at = 4 * Math.floor(i / 3) + (i % 3);
      if (fromPng[at] !== pixels[i]) assert.fail(`file ${n}: byte ${i} of the PNG`);
      worst = Math.max(worst, Math.abs(fromJpeg[at]! - expected[i]!));
    }
    assert.ok(worst <= 4, `file ${n}: the JPEG differs from libjpeg's by ${worst}`);
  }
});

test("pngcheck finds nothing wrong", async (t) => {
  const folder = await temporaryFolder(t);
  for (const [n, { png }] of makeFiles().entries()) {
    const path = join(folder, `${n}.png`);
    await writeFile(path, png);
    // Its exit status tells; -q prints errors only.
    const { stdout } = await promisify(execFile)("pngcheck", ["-q", path]);
    assert.equal(stdout, "");
  }
});
