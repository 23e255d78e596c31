import assert from "node:assert/strict";
import { test } from "node:test";
import { PngCodec } from "../image/png-codec.ts";
import { DemoRenderer, renderDemoFrame } from "./render.ts";

const renderer = new DemoRenderer();

function meanStep(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}

test("a frame is 1280x720, opaque, and its PNG holds the same pixels", async () => {
  const frame = renderer.render(10);
  assert.equal(frame.width, 1280);
  assert.equal(frame.height, 720);
  assert.equal(frame.pixels.length, 1280 * 720 * 4);
  assert.ok(frame.pixels.every((value, i) => i % 4 !== 3 || value === 255));
  const decoded = await new PngCodec().decode(frame.png);
  assert.equal(decoded.width, 1280);
  assert.equal(meanStep(new Uint8Array(decoded.data), frame.pixels), 0);
});

test("the same frame is the same picture; neighbours differ a little, far ones more", () => {
  const a = renderer.render(50).pixels;
  const again = renderDemoFrame(50).pixels;
  assert.equal(meanStep(a, again), 0);
  const next = meanStep(a, renderer.render(51).pixels);
  const far = meanStep(a, renderer.render(110).pixels);
  assert.ok(next > 0 && next < 2, `neighbours differ by ${next}`);
  assert.ok(far > 2 * next, `${far} and ${next}`);
});

test("lips are redder than the skin above them, in every part of the loop", () => {
  for (const index of [0, 25, 62, 124]) {
    const { pixels, width, rectangle } = renderer.render(index);
    const at = (dx: number, dy: number): number => {
      const i = 4 * ((rectangle.y + dy) * width + rectangle.x + dx);
      return pixels[i]! - pixels[i + 1]!;
    };
    assert.ok(at(126, 84) > at(126, 55) + 30);
  }
});
