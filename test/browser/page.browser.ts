import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { readAvatar } from "../../avatar/catalogue.ts";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import { mouthRegion } from "../../avatar/manifest.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { ensureDemoAvatar } from "../../cli/demo-avatar.ts";
import { startSystem, type TestSystem } from "../support/system.ts";
import { temporaryFolder } from "../support/tiny-avatar.ts";
import { startChromium } from "./chromium.ts";

const page = fileURLToPath(new URL("../../client/dist", import.meta.url));
const sample = fileURLToPath(new URL("../../avatar/demo/sample.wav", import.meta.url));
const codecs = createImageCodecs();

describe("the page in Chromium, with the demo avatar", () => {
  const ends: (() => Promise<void>)[] = [];
  let system: TestSystem;
  let browser: Browser;
  let tab: Page;
  let failures: string[];
  let root: string;

  before(async () => {
    root = await temporaryFolder({ after: (end) => ends.push(end) });
    await ensureDemoAvatar(root);
    system = await startSystem(root, { assetsRoot: page });
    browser = await startChromium(sample);
  });
  after(async () => {
    await browser?.close();
    await system?.stop();
    for (const end of ends) await end();
  });
  afterEach(() => tab?.close());
  beforeEach(async () => {
    failures = [];
    tab = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    tab.on("pageerror", (error) => failures.push(String(error)));
    await tab.goto(system.edge.url);
    await state("idle");
  });

  const state = (name: string) =>
    tab.waitForSelector(`#stage[data-state=${name}]`, { timeout: 60_000 });
  const shown = (name: string) =>
    tab.evaluate((key) => document.getElementById("stage")?.dataset[key] ?? "", name);

  test("it idles, and the loop runs", async () => {
    const before = Number(await shown("position"));
    await tab.waitForFunction(
      (from) => Number(document.getElementById("stage")?.dataset.position) > from + 10,
      before,
    );
    assert.deepEqual(failures, []);
  });

  test("the sample is spoken: the mouth opens and closes, with the sound", async () => {
    const shots: { picture: RgbaImage; darkness: number }[] = [];
    const mouth = await mouthRectangle(root);
    // On a machine too slow to show eight pictures of one utterance, of three.
    for (let round = 0; round < 3 && shots.length < 8; round++) {
      await tab.click("#sample");
      await state("speaking");
      while ((await shown("state")) === "speaking" && shots.length < 24) {
        // The picture and the times that belong to it, between two refreshes.
        const { url, frameTime, audioTime } = await tab.evaluate(() => {
          const { frameTime = "", audioTime = "" } =
            document.getElementById("stage")?.dataset ?? {};
          const canvas = document.getElementById("canvas") as HTMLCanvasElement;
          return { url: canvas.toDataURL("image/jpeg", 0.95), frameTime, audioTime };
        });
        // Without a time it shows the idle loop: the sound has not begun, or waits for frames.
        if (frameTime !== "") {
          const lateMs = Number(audioTime) - Number(frameTime);
          assert.ok(
            lateMs >= 0 && lateMs < 100,
            `frame at ${frameTime} ms drawn at ${audioTime} ms`,
          );
          const picture = await codecs.decode(Buffer.from(url.split(",")[1]!, "base64"));
          shots.push({ picture, darkness: darkPixels(picture, mouth) });
        }
        await tab.waitForTimeout(150);
      }
      await state("idle");
    }
    assert.ok(shots.length >= 8, `${shots.length} pictures were taken`);
    shots.sort((a, b) => a.darkness - b.darkness);
    const closed = shots[0]!;
    const open = shots.at(-1)!;
    assert.ok(open.darkness > closed.darkness + 300, "an open mouth shows its dark inside");
    // The body sways and breathes all over the picture, but only there does so much change.
    const inside = meanDifference(open.picture, closed.picture, mouth);
    const whole = { x: 0, y: 0, width: open.picture.width, height: open.picture.height };
    const outside = meanDifference(open.picture, closed.picture, whole, mouth);
    assert.ok(inside > 3 * outside, `${inside} in the mouth, ${outside} elsewhere`);
    assert.deepEqual(failures, []);
  });

  test("a file is spoken, Stop ends it, and what is not audio is told", async () => {
    await tab.setInputFiles("#file", sample);
    await state("speaking");
    await tab.click("#stop");
    await state("idle");
    const notes = { name: "notes.wav", mimeType: "audio/wav", buffer: Buffer.from("no sound") };
    await tab.setInputFiles("#file", notes);
    await tab.waitForSelector("#message:not([hidden])");
    assert.match((await tab.textContent("#message")) ?? "", /does not seem to be audio/);
    assert.deepEqual(failures, []);
  });

  test("a held button records what is said, and it is spoken", async () => {
    const button = await tab.waitForSelector("#talk");
    const box = (await button.boundingBox())!;
    await tab.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await tab.mouse.down();
    await tab.waitForSelector("#talk.recording");
    await tab.waitForTimeout(1500);
    await tab.mouse.up();
    await state("speaking");
    await state("idle");
    assert.deepEqual(failures, []);
  });

  test("on a phone nothing is wider than the screen", async () => {
    await tab.setViewportSize({ width: 360, height: 740 });
    const width = await tab.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(width, 360);
  });

  test("a page of another origin embeds the avatar", async (t) => {
    const html = `<!doctype html><canvas id="avatar"></canvas><button id="talk">Talk</button>
      <script type="module">
        import { AvatarPlayer } from "${system.edge.url}/mouthpiece.js";
        const player = new AvatarPlayer(document.getElementById("avatar"), { avatarId: "demo" });
        await player.idle();
        document.getElementById("talk").onclick = async () => {
          const speech = await (await fetch("/speech.wav")).blob();
          document.title = await player.speak(speech);
        };
        document.title = "idle";
      </script>`;
    const speech = (await readFile(sample)).subarray(0, 44 + 32_000);
    speech.writeUInt32LE(32_000, 40);
    speech.writeUInt32LE(32_036, 4);
    const other = createServer((request, response) => {
      const isSpeech = request.url === "/speech.wav";
      response.setHeader("content-type", isSpeech ? "audio/wav" : "text/html");
      response.end(isSpeech ? speech : html);
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    t.after(() => other.close());
    await tab.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    const title = (text: string) =>
      tab.waitForFunction((wanted) => document.title === wanted, text, { timeout: 60_000 });
    await title("idle");
    await tab.click("#talk");
    await title("ended");
    assert.deepEqual(failures, []);
  });
});

/** The part of the frame in which the mouth moves, whatever the head does: the middle of all rectangles. */
async function mouthRectangle(root: string): Promise<Rectangle> {
  const { manifest } = await readAvatar(createFolderStore(root), "demo");
  const regions = Array.from({ length: manifest.frameCount }, (_, n) => mouthRegion(manifest, n));
  const mean = (side: keyof Rectangle) =>
    Math.round(regions.reduce((sum, region) => sum + region[side], 0) / regions.length);
  const [x, y, width, height] = [mean("x"), mean("y"), mean("width"), mean("height")];
  return {
    x: x + Math.round(width / 4),
    y: y + Math.round(height / 4),
    width: Math.round(width / 2),
    height: Math.round(height / 2),
  };
}

function darkPixels({ data, width }: RgbaImage, area: Rectangle): number {
  let count = 0;
  for (let y = area.y; y < area.y + area.height; y++) {
    for (let x = area.x; x < area.x + area.width; x++) {
      const i = 4 * (y * width + x);
      if (data[i]! + data[i + 1]! + data[i + 2]! < 240) count++;
    }
  }
  return count;
}

function meanDifference(
  a: RgbaImage,
  b: RgbaImage,
  area: Rectangle,
  except: Rectangle = { x: -1, y: -1, width: 0, height: 0 },
): number {
  let sum = 0;
  let count = 0;
  for (let y = area.y; y < area.y + area.height; y++) {
    for (let x = area.x; x < area.x + area.width; x++) {
      const isExcepted =
        x >= except.x &&
        x < except.x + except.width &&
        y >= except.y &&
        y < except.y + except.height;
      if (isExcepted) continue;
      const i = 4 * (y * a.width + x);
      for (let channel = 0; channel < 3; channel++) {
        sum += Math.abs(a.data[i + channel]! - b.data[i + channel]!);
      }
      count += 3;
    }
  }
  return sum / count;
}
