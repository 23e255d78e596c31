import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { codecString } from "../../edge/compositor/h264/parameter-sets.ts";
import { pictureOf, planesOf } from "../../edge/compositor/h264/picture.ts";
import { SeededRandom } from "../fuzz/random.ts";
import { playRandomly, randomTrack } from "../support/h264-streams.ts";
import { TinyH264 } from "../support/tiny-h264.ts";
import { startChromium } from "./chromium.ts";

const STREAMS = 12;
const FRAMES = 50;

/** A stream, and SHA-256 of each picture's I420 as another decoder has it. */
async function makeStream(seed: number) {
  const random = new SeededRandom(seed);
  const track = await randomTrack(random, 2 + random.below(20));
  const played = playRandomly(random, track, FRAMES);
  const tiny = await TinyH264.open();
  const { width, height } = track.track.format;
  const hashes = played.map(({ bytes }) => {
    const whole = tiny.decode(bytes);
    const stride = Math.ceil(width / 16) * 16;
    const hash = createHash("sha256");
    const cropped = pictureOf(new Uint8Array((width * height * 3) / 2), width, height);
    const planes = planesOf(pictureOf(whole, stride, Math.ceil(height / 16) * 16));
    for (const [n, plane] of planesOf(cropped).entries()) {
      const { data, width: from } = planes[n]!;
      for (let y = 0; y < plane.height; y++) {
        hash.update(data.subarray(y * from, y * from + plane.width));
      }
    }
    return hash.digest("hex");
  });
  const units = played.map(({ bytes }) => ({
    base64: Buffer.from(bytes).toString("base64"),
    // Key pictures begin with their sequence parameter set.
    isKey: (bytes[4]! & 31) === 7,
  }));
  return { codec: codecString(track.track.format), units, hashes, what: track.what };
}

test("Chromium's WebCodecs show what another decoder shows, sample by sample", async (t) => {
  // WebCodecs are for pages that came by a way to be trusted, such as the loopback address.
  const server = createServer((_, response) => response.end("<!doctype html>"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const browser = await startChromium("");
  t.after(() => browser.close());
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  for (let seed = 1; seed <= STREAMS; seed++) {
    const { codec, units, hashes, what } = await makeStream(seed);
    const found = await tab.evaluate(
      async ({ codec, units }) => {
        const pictures: Promise<string>[] = [];
        const hashOf = async (frame: VideoFrame) => {
          if (frame.format !== "I420") throw new Error(`a picture in ${frame.format}`);
          const bytes = new Uint8Array(frame.allocationSize());
          const layout = await frame.copyTo(bytes);
          const { width, height } = frame.visibleRect!;
          const isPacked = layout.every(
            ({ stride }, n) => stride === (n === 0 ? width : width / 2),
          );
          frame.close();
          if (!isPacked || bytes.length !== (width * height * 3) / 2) throw new Error("gaps");
          const digest = await crypto.subtle.digest("SHA-256", bytes);
          return [...new Uint8Array(digest)]
            .map((byte) => byte.toString(16).padStart(2, "0"))
            .join("");
        };
        let failure: unknown;
        const decoder = new VideoDecoder({
          output: (frame) => pictures.push(hashOf(frame)),
          error: (error) => {
            failure = error;
          },
        });
        decoder.configure({ codec, optimizeForLatency: true });
        for (const [n, { base64, isKey }] of units.entries()) {
          const data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          const type = isKey ? "key" : "delta";
          decoder.decode(new EncodedVideoChunk({ type, timestamp: n * 40_000, data }));
        }
        await decoder.flush();
        if (failure) throw failure;
        return Promise.all(pictures);
      },
      { codec, units },
    );
    assert.deepEqual(found, hashes, `seed ${seed}: ${what}`);
  }
});
