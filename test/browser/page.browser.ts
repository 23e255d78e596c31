import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import { startSystem, type TestSystem } from "../support/system.ts";
import { startChromium } from "./chromium.ts";
import { demoRoot } from "./demo-setup.ts";
import {
  darkPixels,
  grown,
  meanDifference,
  mouthRectangle,
  shifts,
  spokenAndIdle,
  whole,
} from "./pictures.ts";

const page = fileURLToPath(new URL("../../client/dist", import.meta.url));
const sample = fileURLToPath(new URL("../../avatar/demo/sample.wav", import.meta.url));
const codecs = createImageCodecs();

describe("the page in Chromium, with the demo avatar", () => {
  let system: TestSystem;
  let browser: Browser;
  let tab: Page;
  let failures: string[];
  let root: string;

  before(async () => {
    root = demoRoot();
    const edge = { webrtc: { addresses: ["127.0.0.1"] } };
    system = await startSystem(root, { assetsRoot: page, edge });
    browser = await startChromium(sample);
  });
  after(async () => {
    await browser?.close();
    await system?.stop();
  });
  afterEach(() => tab?.close());
  beforeEach(async () => {
    failures = [];
    tab = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    tab.on("pageerror", (error) => failures.push(String(error)));
  });

  const open = async (query = "?clips") => {
    await tab.goto(`${system.edge.url}/${query}`);
    await state("idle");
  };
  /** As in a browser without WebCodecs, or on a page that is not to be trusted. */
  const openWithoutVideo = async () => {
    await tab.addInitScript(() => Reflect.deleteProperty(globalThis, "VideoDecoder"));
    await open();
  };
  const state = (name: string) =>
    tab.waitForSelector(`#stage[data-state=${name}]`, { timeout: 60_000 });
  const shown = (name: string) =>
    tab.evaluate((key) => document.getElementById("stage")?.dataset[key] ?? "", name);

  test("clips: it idles, and the loop runs", async () => {
    await open();
    const before = Number(await shown("position"));
    await tab.waitForFunction(
      (from) => Number(document.getElementById("stage")?.dataset.position) > from + 10,
      before,
    );
    assert.deepEqual(failures, []);
  });

  for (const format of ["h264", "jpeg"]) {
    test(`the sample is spoken in ${format}: the mouth opens and closes, with the sound`, async () => {
      if (format === "jpeg") await openWithoutVideo();
      else await open();
      assert.equal(await shown("format"), format);
      await speakSample();
    });
  }

  const speakSample = async () => {
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
    const outside = meanDifference(open.picture, closed.picture, whole(open.picture), mouth);
    assert.ok(inside > 3 * outside, `${inside} in the mouth, ${outside} elsewhere`);
    assert.deepEqual(failures, []);
  };

  test("video that speaks looks like the idle image of the same frame", async (t) => {
    await open();
    const shots: string[][] = [];
    // On a machine too slow to show four pictures of one utterance, of three.
    for (let round = 0; round < 3 && shots.length < 4; round++) {
      await tab.click("#sample");
      await state("speaking");
      while ((await shown("state")) !== "idle" && shots.length < 4) {
        const shot = await tab.evaluate(spokenAndIdle);
        if (shot) shots.push(shot);
        await tab.waitForTimeout(200);
      }
      await tab.click("#stop", { timeout: 1000 }).catch(() => {});
      await state("idle");
    }
    const around = grown(await mouthRectangle(root), 2.4);
    const found: number[][] = [];
    for (const shot of shots) {
      const [spoken, idle] = await Promise.all(
        shot.map((url) => codecs.decode(Buffer.from(url.split(",")[1]!, "base64"))),
      );
      const difference = meanDifference(spoken!, idle!, whole(idle!), around);
      found.push([difference, ...shifts(spoken!, idle!, around)]);
    }
    assert.ok(found.length >= 3, `${found.length} pictures were taken`);
    const means = [0, 1, 2, 3].map(
      (n) => found.reduce((sum, each) => sum + each[n]!, 0) / found.length,
    );
    t.diagnostic(`difference, and shifts of red, green, blue: ${means.map((x) => x.toFixed(2))}`);
    const [difference = NaN, red = NaN, green = NaN, blue = NaN] = means;
    const luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    // Of 255 steps. The coder makes 2.1 of difference and less than 0.3 of luma. BT.601 taken
    // for BT.709 would move this picture's luma by -1.4, one range for the other by -3.
    assert.ok(difference < 3, `pictures differ by ${difference}`);
    assert.ok(Math.abs(luma) < 0.8, `luma moves by ${luma}`);
    for (const shift of [red, green, blue]) {
      assert.ok(Math.abs(shift) < 1.6, `colours move by ${means}`);
    }
  });

  test("a decoder that breaks in the midst: the utterance goes on in images, to its end", async () => {
    await tab.addInitScript(() => {
      const decode = VideoDecoder.prototype.decode;
      let chunks = 0;
      VideoDecoder.prototype.decode = function (chunk) {
        // Half of the bytes of a slice: what a decoder with a fault would make of all of them.
        if (++chunks === 60) {
          const bytes = new Uint8Array(chunk.byteLength);
          chunk.copyTo(bytes);
          bytes.fill(0xff, 5);
          decode.call(
            this,
            new EncodedVideoChunk({ type: chunk.type, timestamp: chunk.timestamp, data: bytes }),
          );
        } else {
          decode.call(this, chunk);
        }
      };
    });
    await open();
    assert.equal(await shown("format"), "h264");
    await tab.evaluate(() => {
      const stage = document.getElementById("stage")!;
      const seen: number[] = [];
      Object.assign(globalThis, { seen });
      new MutationObserver(() => {
        const frame = Number(stage.dataset.frame || -1);
        if (frame >= 0 && seen.at(-1) !== frame) seen.push(frame);
      }).observe(stage, { attributeFilter: ["data-frame"] });
    });
    await tab.click("#sample");
    await tab.waitForFunction(() => document.getElementById("stage")?.dataset.format === "jpeg");
    await state("speaking");
    await state("idle");
    const seen = await tab.evaluate(() => (globalThis as unknown as { seen: number[] }).seen);
    assert.ok(
      seen.every((frame, n) => n === 0 || frame > seen[n - 1]!),
      `frames ${seen}`,
    );
    assert.ok(seen[0]! < 10 && seen.at(-1)! > 100, `frames ${seen}`);
    assert.equal(await tab.isHidden("#message"), true);
    assert.deepEqual(failures, []);
  });

  test("a file is spoken, Stop ends it, and what is not audio is told", async () => {
    await open();
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
    await open();
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

  const loudest = () => tab.evaluate(() => (globalThis as unknown as Tapped).loudest());
  /** They are counted once a second: what has just happened is in the next ones. */
  const numbersSay = (what: RegExp) =>
    tab.waitForFunction(
      (pattern) => new RegExp(pattern).test(document.getElementById("numbers")?.textContent ?? ""),
      what.source,
      { timeout: 10_000 },
    );
  const message = () => tab.waitForSelector("#message:not([hidden])", { timeout: 30_000 });

  test("live: a held space bar, and it says what the microphone hears, as it is said", async () => {
    await tab.addInitScript(() => Reflect.deleteProperty(globalThis, "RTCPeerConnection"));
    await tab.addInitScript(tapSound);
    await open("");
    assert.equal(await shown("voice"), "live");
    const mouth = await mouthRectangle(root);
    await tab.keyboard.down(" ");
    await tab.waitForSelector("#talk.recording");
    await state("speaking");
    const darkness: number[] = [];
    let heard = 0;
    // While the key is held: it does not wait for the end.
    for (let n = 0; n < 40 && Math.max(...darkness) < Math.min(...darkness) + 300; n++) {
      const url = await tab.evaluate(() =>
        (document.getElementById("canvas") as HTMLCanvasElement).toDataURL("image/jpeg", 0.95),
      );
      const picture = await codecs.decode(Buffer.from(url.split(",")[1]!, "base64"));
      darkness.push(darkPixels(picture, mouth));
      heard = Math.max(heard, await loudest());
      await tab.waitForTimeout(100);
    }
    assert.ok(Math.max(...darkness) > Math.min(...darkness) + 300, `the mouth: ${darkness}`);
    assert.ok(heard > 0.01, `the loudest that was heard is ${heard}`);
    await numbersSay(/WebSocket.*H\.264, Opus.*1280 × 720.*bit\/s.*Answer after\d+ ms/);
    await tab.keyboard.up(" ");
    await state("idle");
    assert.equal(await tab.isVisible("#message"), false);
    assert.deepEqual(failures, []);
  });

  test("live: an open microphone and the sample, both interrupted", async () => {
    await open("");
    await tab.click("#open");
    await state("speaking");
    await tab.waitForFunction(() => {
      const level = document.getElementById("level")?.style.transform ?? "";
      return Number(/scaleX\(([\d.]+)\)/.exec(level)?.[1]) > 0.2;
    });
    await numbersSay(/WebRTC/);
    await tab.click("#open");
    await tab.keyboard.press("Escape");
    await state("idle");
    await tab.click("#sample");
    await state("speaking");
    await tab.click("#stop");
    await state("idle");
    const notes = { name: "notes.wav", mimeType: "audio/wav", buffer: Buffer.from("no sound") };
    await tab.setInputFiles("#file", notes);
    await message();
    assert.match((await tab.textContent("#message")) ?? "", /does not seem to be audio/);
    assert.deepEqual(failures, []);
  });

  test("live: the button by keyboard, and pressed by what cannot hold it", async () => {
    await open("");
    const isIdle = () => tab.waitForSelector("#talk:not(.recording)");
    await tab.focus("#talk");
    await tab.keyboard.down(" ");
    await tab.waitForSelector("#talk.recording");
    await tab.waitForTimeout(400);
    await tab.keyboard.up(" ");
    await isIdle();
    const press = () => tab.evaluate(() => document.getElementById("talk")!.click());
    await press();
    await tab.waitForSelector("#talk.recording");
    await tab.waitForTimeout(400);
    await press();
    await isIdle();
    assert.equal(await tab.isVisible("#message"), false);
    assert.deepEqual(failures, []);
  });

  test("live: a blocked microphone is told in words; a session that has ended begins again", async () => {
    await tab.addInitScript(() => {
      MediaDevices.prototype.getUserMedia = () =>
        Promise.reject(new DOMException("", "NotAllowedError"));
    });
    const opened = tab.waitForResponse((response) => response.url().endsWith("/sessions"));
    await open("");
    await tab.click("#open");
    await message();
    assert.match((await tab.textContent("#message")) ?? "", /Allow it in the address bar/);
    assert.equal(await tab.getAttribute("#open", "aria-pressed"), "false");
    const { id } = (await (await opened).json()) as { id: string };
    await fetch(`${system.edge.url}/v1/sessions/${id}`, { method: "DELETE" });
    await state("ended");
    assert.match((await tab.textContent("#message")) ?? "", /has ended this session/);
    await tab.click("#retry");
    await state("idle");
    assert.equal(await tab.isVisible("#message"), false);
    assert.deepEqual(failures, []);
  });

  test("where no live session is to be had it speaks in clips, says why, and tries again", async () => {
    const detail = "64 live sessions are here already: try again in 10 s";
    await tab.route("**/v1/avatars/demo/sessions", (route) =>
      route.fulfill({
        status: 429,
        contentType: "application/problem+json",
        body: JSON.stringify({ detail }),
      }),
    );
    await open("");
    assert.equal(await shown("voice"), "clips");
    await message();
    assert.match((await tab.textContent("#message")) ?? "", new RegExp(`${detail}.*in clips`));
    await tab.click("#sample");
    await state("speaking");
    await tab.click("#stop");
    await state("idle");
    await tab.unroute("**/v1/avatars/demo/sessions");
    await tab.click("#retry");
    await tab.waitForSelector("#stage[data-voice=live]", { timeout: 30_000 });
    await state("idle");
    assert.deepEqual(failures, []);
  });

  test("on a phone nothing is wider than the screen", async () => {
    await tab.setViewportSize({ width: 360, height: 740 });
    await open("");
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

interface Tapped {
  /** Of what goes to the loudspeaker now, 0..1. */
  readonly loudest: () => number;
}

/** In the page, before all else: listens to what goes to the loudspeaker. */
function tapSound(): void {
  const { connect } = AudioNode.prototype;
  const taps: AnalyserNode[] = [];
  AudioNode.prototype.connect = function (this: AudioNode, to: AudioNode, ...rest: number[]) {
    if (to === this.context.destination) {
      const tap = new AnalyserNode(this.context, { fftSize: 16_384 });
      taps.push(tap);
      (connect as (to: AudioNode) => AudioNode).call(this, tap);
    }
    return (connect as (to: AudioNode, ...rest: number[]) => AudioNode).call(this, to, ...rest);
  } as typeof connect;
  const loudest = () => {
    const samples = new Float32Array(16_384);
    let peak = 0;
    for (const tap of taps) {
      tap.getFloatTimeDomainData(samples);
      for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    }
    return peak;
  };
  Object.assign(globalThis, { loudest });
}
