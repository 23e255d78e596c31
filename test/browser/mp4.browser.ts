import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { writeMp4File } from "../../edge/container/mp4-file.ts";
import type { Mp4Picture } from "../../edge/container/mp4-input.ts";
import { createMp4Stream } from "../../edge/container/mp4-stream.ts";
import { SeededRandom } from "../fuzz/random.ts";
import { each, flashFilm, MemorySink, pieces } from "../support/films.ts";
import { startChromium } from "./chromium.ts";

/** Grey comes before them and is not to be seen. */
const FILM = { frames: 100, preRoll: 24, flashes: [10, 50, 80] };
const FLASHES_S = FILM.flashes.map((frame) => frame * 0.04);
const LIMIT_MS = 20_000;

/** Whether a frame of `FILM` at this time is white. */
function isWhite(time: number): boolean {
  return FLASHES_S.some((start) => time > start - 0.001 && time < start + 0.199);
}

async function openTab(t: { after(run: () => unknown): void }, answer: Answer): Promise<Page> {
  const server = createServer((request, response) => {
    if (request.url === "/film.mp4") return answer(request, response);
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><video id=film muted></video><canvas id=canvas></canvas>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const browser = await startChromium("");
  t.after(() => browser.close());
  const tab = await browser.newPage();
  tab.setDefaultTimeout(LIMIT_MS);
  await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return tab;
}
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A file as object stores serve it: by ranges. */
function serveFile(bytes: Uint8Array): Answer {
  return (request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const start = Number(first ?? 0);
    const end = last ? Number(last) + 1 : bytes.length;
    response.writeHead(first === undefined ? 200 : 206, {
      "content-type": "video/mp4",
      "accept-ranges": "bytes",
      "content-length": end - start,
      "content-range": `bytes ${start}-${end - 1}/${bytes.length}`,
    });
    response.end(bytes.subarray(start, end));
  };
}

/** Plays the film to its end. @returns what was shown when, by the frame callbacks, and how long it says it is */
function play(tab: Page) {
  return tab.evaluate(async () => {
    const video = document.querySelector<HTMLVideoElement>("#film")!;
    const canvas = document.querySelector<HTMLCanvasElement>("#canvas")!;
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
    const shown: { time: number; luma: number }[] = [];
    const look = (_: number, { mediaTime }: VideoFrameCallbackMetadata) => {
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
      shown.push({ time: mediaTime, luma: context.getImageData(10, 10, 1, 1).data[0]! });
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
    const ended = new Promise<void>((resolve, reject) => {
      video.onended = () => resolve();
      video.onerror = () => reject(new Error(video.error?.message));
    });
    video.src = "/film.mp4";
    await video.play();
    const stream = (video as HTMLVideoElement & { captureStream(): MediaStream }).captureStream();
    await ended;
    return {
      shown,
      duration: video.duration,
      size: [video.videoWidth, video.videoHeight],
      kinds: stream.getTracks().map(({ kind }) => kind),
    };
  });
}

/** When sound begins that was silence before, in seconds. */
function onsets(tab: Page): Promise<number[]> {
  return tab.evaluate(async () => {
    const bytes = await (await fetch("/film.mp4")).arrayBuffer();
    const buffer = await new OfflineAudioContext(1, 1, 48_000).decodeAudioData(bytes);
    const samples = buffer.getChannelData(0);
    const found: number[] = [];
    for (const [n, sample] of samples.entries()) {
      const time = n / 48_000;
      if (Math.abs(sample) > 0.1 && time - (found.at(-1) ?? -1) > 0.5) found.push(time);
    }
    return found;
  });
}

function checkShown({ shown, size, kinds }: Awaited<ReturnType<typeof play>>): void {
  assert.deepEqual(size, [320, 192]);
  assert.deepEqual(kinds.sort(), ["audio", "video"]);
  // A busy machine leaves frames out; those that are shown must be the right ones.
  assert.ok(shown.length > FILM.frames / 4, `${shown.length} frames`);
  for (const { time, luma } of shown) {
    assert.ok(Math.abs(time / 0.04 - Math.round(time / 0.04)) < 0.1, `a frame at ${time}`);
    assert.ok(isWhite(time) ? luma > 240 : luma < 20, `${luma} at ${time}`);
  }
}

test("a file: both tracks, its frames and its length, and seeking to any frame", async (t) => {
  const { width, height, pictures, speech } = await flashFilm(FILM);
  const sink = new MemorySink();
  const input = { width, height, pictures: each(pictures), speech: each(pieces(speech, 1_600)) };
  await writeMp4File(input, sink, AbortSignal.timeout(LIMIT_MS));
  const tab = await openTab(t, serveFile(sink.bytes));
  const played = await play(tab);
  checkShown(played);
  assert.ok(Math.abs(played.duration - 4) < 0.001, `${played.duration} s`);

  const times = [3.9, 0.02, 2.1, 3.3, 1.5, 0.5, 2.02, 0.7, 0];
  const found = await tab.evaluate(async (times) => {
    const video = document.querySelector<HTMLVideoElement>("#film")!;
    const canvas = document.querySelector<HTMLCanvasElement>("#canvas")!;
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
    const lumas: number[] = [];
    for (const time of times) {
      // `seeked` comes before the frame is there to be drawn.
      const presented = new Promise<void>((resolve) => {
        const look = (_: number, { mediaTime }: VideoFrameCallbackMetadata) => {
          if (Math.abs(mediaTime - time) <= 0.04) resolve();
          else video.requestVideoFrameCallback(look);
        };
        video.requestVideoFrameCallback(look);
      });
      video.currentTime = time;
      await presented;
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
      lumas.push(context.getImageData(10, 10, 1, 1).data[0]!);
    }
    return lumas;
  }, times);
  for (const [n, luma] of found.entries()) {
    assert.ok(isWhite(times[n]!) ? luma > 240 : luma < 20, `${luma} at ${times[n]}`);
  }
  for (const [n, time] of (await onsets(tab)).entries()) {
    assert.ok(Math.abs(time - FLASHES_S[n]!) < 0.005, `heard at ${time}`);
  }
});

test("a stream: it plays before its end exists, and shows nothing of the pre-roll", async (t) => {
  // Chromium reads in blocks of 32 kB, and sees nothing of what is smaller.
  const film = await flashFilm({ ...FILM, noise: new SeededRandom(1) });
  const { width, height, pictures, speech } = film;
  const seen = Promise.withResolvers<void>();
  const limit = setTimeout(() => seen.reject(new Error("nothing was shown")), LIMIT_MS);
  t.after(() => clearTimeout(limit));
  async function* held(): AsyncGenerator<Mp4Picture> {
    for (const [n, picture] of pictures.entries()) {
      if (n === pictures.length - 30) await seen.promise;
      yield picture;
    }
  }
  let isFirst = true;
  const tab = await openTab(t, (_, response) => {
    const source = isFirst ? held() : each(pictures);
    isFirst = false;
    const input = { width, height, pictures: source, speech: each(pieces(speech, 1_600)) };
    response.setHeader("content-type", "video/mp4");
    Readable.fromWeb(createMp4Stream(input, AbortSignal.timeout(60_000)) as never).pipe(response);
  });
  await tab.exposeFunction("sawSomething", () => seen.resolve());
  await tab.evaluate(() => {
    const video = document.querySelector<HTMLVideoElement>("#film")!;
    const { sawSomething } = window as unknown as { sawSomething(): void };
    video.ontimeupdate = () => {
      if (video.currentTime > 0.5) sawSomething();
    };
  });
  const played = await play(tab);
  checkShown(played);
  assert.ok(Math.abs(played.duration - 4) < 0.07, `${played.duration} s`);
  for (const [n, time] of (await onsets(tab)).entries()) {
    assert.ok(Math.abs(time - FLASHES_S[n]!) < 0.005, `heard at ${time}`);
  }
});
