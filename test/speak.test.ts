import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { backgroundIndex } from "../avatar/playback.ts";
import { intersectFrame } from "../avatar/rectangle.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { readParts, startSystem, type TestSystem } from "./support/system.ts";
import {
  TINY_HEIGHT,
  TINY_RECTANGLES,
  TINY_WIDTH,
  temporaryFolder,
  tinyFrame,
  tone,
  wavFile,
  writeTinyAvatar,
} from "./support/tiny-avatar.ts";

describe("speak, through core and edge", () => {
  let system: TestSystem;
  const codecs = createImageCodecs();
  const ends: (() => Promise<void>)[] = [];

  before(async () => {
    const root = await temporaryFolder({ after: (end) => ends.push(end) });
    await writeTinyAvatar(root, "tiny");
    system = await startSystem(root);
  });
  after(async () => {
    await system.stop();
    for (const end of ends) await end();
  });

  const speak = (query: string, body: Uint8Array<ArrayBuffer>, type = "audio/wav") =>
    fetch(`${system.edge.url}/v1/avatars/tiny/speak${query}`, {
      method: "POST",
      headers: { "content-type": type },
      body,
    });

  test("frames come in order, with their backgrounds, and only the mouth differs", async () => {
    const samples = tone(30_000);
    const parts = await readParts(await speak("?format=png&start=3", wavFile(samples)));
    assert.equal(parts.length, frameCount(samples.length));
    let changed = 0;
    for (const [n, { headers, body }] of parts.entries()) {
      const index = backgroundIndex(3 + n, TINY_RECTANGLES.length);
      assert.equal(headers.get("content-type"), "image/png");
      assert.equal(headers.get("frame-number"), String(n));
      assert.equal(headers.get("frame-time"), String(40 * n));
      assert.equal(headers.get("background-index"), String(index));
      const image = await codecs.decode(body);
      const background = tinyFrame(index);
      const region = intersectFrame(TINY_RECTANGLES[index]!, TINY_WIDTH, TINY_HEIGHT)!;
      for (let i = 0; i < image.data.length; i++) {
        if (image.data[i] === background.data[i]) continue;
        const x = (i >> 2) % TINY_WIDTH;
        const y = Math.floor((i >> 2) / TINY_WIDTH);
        const isInside =
          x >= region.x &&
          x < region.x + region.width &&
          y >= region.y &&
          y < region.y + region.height;
        assert.ok(isInside, `frame ${n} changed outside its region at ${x},${y}`);
        changed++;
      }
    }
    assert.ok(changed > 10_000, "the model changed the mouth");
  });

  test("a stream gives the bytes of the whole, however it arrives", async () => {
    const wav = wavFile(tone(48_123));
    const whole = await readParts(await speak("?format=png", wav));
    const chunked = new ReadableStream<Uint8Array>({
      async start(controller) {
        for (let at = 0; at < wav.length; at += 4321) {
          controller.enqueue(wav.subarray(at, at + 4321));
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        controller.close();
      },
    });
    const response = await fetch(`${system.edge.url}/v1/avatars/tiny/speak?format=png`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: chunked,
      duplex: "half",
    } as RequestInit);
    const streamed = await readParts(response);
    assert.equal(streamed.length, whole.length);
    for (const [n, part] of streamed.entries()) assert.deepEqual(part.body, whole[n]!.body);
  });

  test("raw samples give what the WAV gives", async () => {
    const samples = tone(8000);
    const raw = new Uint8Array(samples.buffer.slice(0) as ArrayBuffer);
    const fromRaw = await readParts(await speak("?format=png", raw, "audio/l16;rate=16000"));
    const fromWav = await readParts(await speak("?format=png", wavFile(samples)));
    assert.deepEqual(
      fromRaw.map(({ body }) => body),
      fromWav.map(({ body }) => body),
    );
  });

  test("one sample is enough", async () => {
    const parts = await readParts(await speak("", wavFile(tone(1))));
    assert.equal(parts.length, frameCount(1));
    assert.equal(parts[0]!.headers.get("content-type"), "image/jpeg");
  });

  test("the cache of prepared frames is counted", async () => {
    const read = async () => {
      const response = await fetch(`${system.edge.url}/metrics`);
      assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
      const lines = (await response.text()).split("\n").filter((line) => /^[a-z]/.test(line));
      return Object.fromEntries(
        lines.map((line) => [
          line.split(" ")[0]!.replace("mouthpiece_edge_", ""),
          +line.split(" ")[1]!,
        ]),
      ) as Record<string, number>;
    };
    await readParts(await speak("?format=png", wavFile(tone(8000))));
    const before = await read();
    const parts = await readParts(await speak("?format=png", wavFile(tone(8000))));
    const after = await read();
    assert.equal(
      after.prepared_frame_hits_total! - before.prepared_frame_hits_total!,
      parts.length,
    );
    assert.equal(after.prepared_frame_misses_total, before.prepared_frame_misses_total);
    assert.equal(after.speaking, 0);
    assert.ok(after.prepared_frame_bytes! > 0);
  });

  test("leaving midway stops the work, and the next request is served", async () => {
    const leaving = new AbortController();
    const response = await fetch(`${system.edge.url}/v1/avatars/tiny/speak?format=png`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: wavFile(tone(16_000 * 120)),
      signal: leaving.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();
    leaving.abort();
    const { core } = system.core;
    const isQuiet = () => core.schedulers.every(({ requests }) => requests === 0);
    for (let i = 0; i < 200 && !isQuiet(); i++) await new Promise((r) => setTimeout(r, 25));
    assert.ok(isQuiet(), "requests are still queued at the core");
    const frames = core.registry.stats.of("tiny").frames;
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(core.registry.stats.of("tiny").frames, frames);
    assert.equal((await speak("", wavFile(tone(800)))).status, 200);
  });

  test("a reader that stands still stops the work, all the way to the core", async () => {
    const { core } = system.core;
    const before = core.registry.stats.of("tiny").frames;
    const samples = tone(16_000 * 100);
    const response = await fetch(`${system.edge.url}/v1/avatars/tiny/speak?format=png`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: wavFile(samples),
    });
    // Until nothing is made any more: what fits into the sockets' buffers has been.
    let made = -1;
    for (let still = 0; still < 8; ) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const frames = core.registry.stats.of("tiny").frames - before;
      still = frames === made ? still + 1 : 0;
      made = frames;
    }
    assert.ok(made < frameCount(samples.length) / 2, `${made} frames were made for nobody`);
    // And goes on when it reads on.
    const reader = response.body!.getReader();
    while (core.registry.stats.of("tiny").frames - before <= made) await reader.read();
    await reader.cancel();
  });

  test("idle frames: the published PNG as it is, JPEG made once, both cacheable", async () => {
    const base = `${system.edge.url}/v1/avatars/tiny`;
    const { version } = (await (await fetch(base)).json()) as { version: string };
    const png = await fetch(`${base}/frames/2.png?v=${version}`);
    assert.match(png.headers.get("cache-control") ?? "", /immutable/);
    const image = await codecs.decode(new Uint8Array(await png.arrayBuffer()));
    assert.deepEqual(image.data, tinyFrame(2).data);
    const jpeg = await fetch(`${base}/frames/2.jpg`);
    assert.equal(jpeg.headers.get("content-type"), "image/jpeg");
    assert.equal((await readParts(await speak("", wavFile(tone(1))))).length, frameCount(1));
    const again = await fetch(`${base}/frames/2.jpg`, {
      headers: { "if-none-match": jpeg.headers.get("etag")! },
    });
    assert.equal(again.status, 304);
    assert.equal((await fetch(`${base}/frames/4.png`)).status, 404);
  });
});
