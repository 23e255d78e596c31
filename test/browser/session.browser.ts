import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { main } from "../../cli/main.ts";
import { delayOf, likeness, sampleSpeech } from "../support/sample-speech.ts";
import { startSystem, type TestSystem } from "../support/system.ts";
import { temporaryFolder, writeTinyAvatar } from "../support/tiny-avatar.ts";
import { startChromium } from "./chromium.ts";

const assets = fileURLToPath(new URL("../../client/dist", import.meta.url));
const sample = fileURLToPath(new URL("../../avatar/demo/sample.wav", import.meta.url));

/** As it stands in docs/client.md, but for what the tests look at. */
const PAGE = (edge: string) => `<!doctype html>
<canvas id="avatar"></canvas>
<button id="talk">Talk</button>
<script type="module">
  import { AvatarSession } from "${edge}/mouthpiece.js";
  const opened = await fetch("${edge}/v1/avatars/ada/sessions", { method: "POST" });
  const { id, token, urls } = await opened.json();
  const url = new URL(urls.socket, "${edge}");
  const session = new AvatarSession({ url, token, element: document.getElementById("avatar") });
  document.getElementById("talk").onclick = async () => {
    await session.start();
    await session.sendAudio(await (await fetch("speech.wav")).blob());
    session.endSpeech();
  };
  const kinds = ["state", "ready", "speakstart", "speakend", "stats", "error", "disconnected"];
  const events = [];
  for (const kind of kinds) session.on(kind, (detail) => events.push({ kind, detail }));
  if (location.hash === "#start") {
    session.start();
    session.on("stats", () => console.log("stats"));
  }
  Object.assign(globalThis, { id, session, events, AvatarSession, url, token });
</script>`;

interface TestGlobals {
  readonly id: string;
  readonly url: string;
  readonly session: import("../../client/index.ts").AvatarSession;
  readonly AvatarSession: typeof import("../../client/index.ts").AvatarSession;
  readonly events: { readonly kind: string; readonly detail: unknown }[];
  /** What went to the loudspeaker, at 16 kHz. */
  readonly heard: number[];
  readonly sockets: WebSocket[];
}

describe("a live session on a page of another origin", () => {
  const ends: (() => Promise<void>)[] = [];
  let system: TestSystem;
  let browser: Browser;
  let server: Server;
  let tab: Page;
  let failures: string[];

  before(async () => {
    const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
    const imported = await folder();
    await writeTinyAvatar(imported, "ada");
    const root = await folder();
    const publish = ["publish", "ada", "--to", root, "--root", imported, "--json"];
    assert.equal(await main([...publish, "--formats", "jpeg,h264"]), 0);
    system = await startSystem(root, { assetsRoot: assets });
    const speech = (await readFile(sample)).subarray(0, 44 + 64_000);
    speech.writeUInt32LE(64_000, 40);
    speech.writeUInt32LE(64_036, 4);
    server = createServer((request, response) => {
      const isSpeech = request.url === "/speech.wav";
      response.setHeader("content-type", isSpeech ? "audio/wav" : "text/html");
      response.end(isSpeech ? speech : PAGE(system.edge.url));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    browser = await startChromium(sample);
  });
  after(async () => {
    await browser?.close();
    server?.close();
    await system?.stop();
    for (const end of ends) await end();
  });
  beforeEach(async () => {
    failures = [];
    tab = await browser.newPage();
    tab.on("pageerror", (error) => failures.push(String(error)));
    await tab.addInitScript(listenIn);
  });
  afterEach(() => tab?.close());

  const pageUrl = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const open = async () => {
    await tab.goto(pageUrl());
    await tab.waitForFunction(() => "session" in globalThis);
  };
  const event = async (kind: string, after = 0) => {
    const found = await tab.waitForFunction(
      ({ kind, after }) => {
        const { events } = globalThis as unknown as TestGlobals;
        const n = events.findIndex((each, n) => n >= after && each.kind === kind);
        return n < 0 ? null : { n, detail: events[n]!.detail };
      },
      { kind, after },
      { timeout: 30_000 },
    );
    return (await found.jsonValue()) as { n: number; detail: Record<string, unknown> };
  };
  const count = () => tab.evaluate(() => (globalThis as unknown as TestGlobals).events.length);
  const act = (what: (globals: TestGlobals) => Promise<unknown>) =>
    tab.evaluate(`(${what})(globalThis)`);
  /**
   * Of the sample's first seconds, how many quarters of a second have been heard, in their
   * order. On a machine that is busy otherwise there may be holes between them.
   */
  const assertHeard = async (seconds: number) => {
    const heard = await tab.evaluate(() => (globalThis as unknown as TestGlobals).heard);
    const speech = (await sampleSpeech()).subarray(0, 16_000 * seconds);
    const start = heard.findIndex((sample) => Math.abs(sample) > 0.01);
    const near = Float32Array.from(heard.slice(Math.max(0, start - 800)));
    // Every fourth sample is enough to find the place.
    const fourth = (all: Float32Array | Int16Array) => all.filter((_, n) => n % 4 === 0);
    let [loud, found, place] = [0, 0, 0];
    for (let at = 0; at + 4000 <= speech.length; at += 4000) {
      const piece = speech.subarray(at, at + 4000);
      if (piece.reduce((sum, each) => sum + Math.abs(each), 0) / piece.length < 500) continue;
      loud++;
      const rest = near.subarray(place);
      const coarse = 4 * delayOf(fourth(rest), fourth(piece), 8000);
      const from = rest.subarray(Math.max(0, coarse - 4));
      const delay = Math.max(0, delayOf(from, piece, 8));
      if (likeness(from, piece, delay) < 0.8) continue;
      found++;
      place += Math.max(0, coarse - 4) + delay;
    }
    assert.ok(loud >= 4 && found >= loud / 2, `${found} of ${loud} pieces were heard`);
  };
  const pictures = (count: number) => tab.evaluate(differentPictures, count);

  for (const { title, video, audio, hide } of [
    { title: "H.264 and Opus", video: "h264", audio: "opus", hide: [] },
    {
      title: "JPEG and PCM where there are no WebCodecs",
      video: "jpeg",
      audio: "pcm",
      hide: ["VideoDecoder", "AudioDecoder"],
    },
  ]) {
    test(`${title}: a click, and it says what it is given`, async () => {
      await tab.addInitScript((names) => {
        for (const name of names) Reflect.deleteProperty(globalThis, name);
      }, hide);
      await open();
      await tab.click("#talk");
      const ready = await event("ready");
      assert.equal(ready.detail.video, video);
      assert.equal(ready.detail.audio, audio);
      await event("speakstart");
      assert.ok((await pictures(5)) >= 5, "the picture runs");
      const end = await event("speakend");
      assert.equal(end.detail.reason, "complete");
      await assertHeard(2);
      // Again, after a pause: decoders that count samples have to find their place.
      await act(async ({ heard }) => void heard.splice(0));
      await tab.click("#talk");
      await event("speakend", end.n + 1);
      await assertHeard(2);
      const { detail } = await event("stats");
      assert.ok(Number(detail.framesPerSecond) > 0 && Number(detail.bitsPerSecond) > 0);
      assert.equal(detail.isSoundBlocked, false);
      assert.deepEqual(failures, []);
    });
  }

  test("an interruption is heard at once, and what comes then is said", async () => {
    await open();
    await tab.click("#talk");
    await event("speakstart");
    const before = await count();
    await act(async ({ session, heard }) => {
      session.interrupt();
      // What the audio thread has on its way out.
      setTimeout(() => heard.splice(0), 100);
    });
    const silence = await event("speakend", before);
    assert.equal(silence.detail.reason, "interrupted");
    await tab.waitForTimeout(700);
    const loudest = await act(async ({ heard }) => Math.max(...heard));
    assert.ok(Number(loudest) < 1e-4, `it goes on with ${loudest}`);
    const again = await count();
    await act(async ({ session }) => {
      const samples = Float32Array.from({ length: 16_000 }, (_, n) => 0.3 * Math.sin(n / 5));
      await session.sendAudio(samples);
      session.endSpeech();
    });
    await event("speakstart", again);
    const last = await event("speakend", again);
    assert.equal(last.detail.reason, "complete");
    assert.ok(Number(last.detail.segment) > Number(silence.detail.segment));
    assert.deepEqual(failures, []);
  });

  test("a connection that breaks comes back, and speech goes on", async () => {
    await open();
    await tab.click("#talk");
    await event("speakstart");
    const before = await count();
    await act(async ({ sockets }) => sockets.at(-1)!.close());
    await tab.waitForFunction(
      () => (globalThis as unknown as TestGlobals).session.state === "reconnecting",
    );
    await event("ready", before);
    const end = await event("speakend", before);
    assert.equal(end.detail.reason, "complete");
    assert.ok((await pictures(5)) >= 5, "the picture runs");
    assert.deepEqual(failures, []);
  });

  test("video that cannot be decoded goes on as images", async () => {
    await tab.addInitScript(() => {
      const { decode } = VideoDecoder.prototype;
      let chunks = 0;
      VideoDecoder.prototype.decode = function (chunk) {
        if (++chunks > 20) throw new DOMException("no more", "EncodingError");
        decode.call(this, chunk);
      };
    });
    await open();
    await tab.click("#talk");
    const first = await event("ready");
    assert.equal(first.detail.video, "h264");
    const second = await event("ready", first.n + 1);
    assert.equal(second.detail.video, "jpeg");
    assert.ok((await pictures(5)) >= 5, "the picture runs");
    assert.deepEqual(failures, []);
  });

  test("it says what a microphone hears, until it has gone", async () => {
    await open();
    await act(async ({ session }) => {
      await session.start();
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      const [track] = stream.getAudioTracks();
      await session.listenTo(track!);
      Object.assign(globalThis, { track });
    });
    await event("speakstart");
    await tab.waitForTimeout(3000);
    await assertHeard(2);
    await act(async ({ session }) => session.listenTo(null));
    const end = await event("speakend");
    assert.equal(end.detail.reason, "complete");
    assert.deepEqual(failures, []);
  });

  test("leaving, the end of the session, and a bad token are told apart", async () => {
    await open();
    await act(async ({ session }) => {
      await session.start();
      session.stop();
    });
    assert.equal((await event("disconnected")).detail, "stopped");
    const before = await count();
    await act(async ({ session }) => void (await session.start()));
    const { id } = await tab.evaluate(() => ({ id: (globalThis as unknown as TestGlobals).id }));
    const { status } = await fetch(`${system.edge.url}/v1/sessions/${id}`, { method: "DELETE" });
    assert.equal(status, 204);
    assert.equal((await event("disconnected", before)).detail, "deleted");
    const refusal = await tab.evaluate(async () => {
      const { AvatarSession, url } = globalThis as unknown as TestGlobals;
      const other = new AvatarSession({ url, token: "nonsense" });
      return other.start().then(
        () => "started",
        (error) => `${error.name} ${error.code}`,
      );
    });
    assert.equal(refusal, "PlayerError refused");
    assert.deepEqual(failures, []);
  });

  test("without a click the picture runs; with one the sound begins", async () => {
    const strict = await startChromium(sample, { needsClick: true });
    try {
      tab = await strict.newPage();
      await tab.addInitScript(listenIn);
      // What a test evaluates counts as a click: the page has to do it by itself.
      const told = tab.waitForEvent("console");
      await tab.goto(`${pageUrl()}#start`);
      await told;
      const blocked = await event("stats");
      assert.ok((await pictures(5)) >= 5, "the picture runs");
      assert.equal(blocked.detail.isSoundBlocked, true);
      await tab.click("#talk");
      await event("speakend");
      await assertHeard(2);
      const stats = await event("stats", (await count()) - 1);
      assert.equal(stats.detail.isSoundBlocked, false);
    } finally {
      await strict.close();
    }
  });
});

/** In the page, before all else: hears what goes to the loudspeaker, and keeps sockets. */
function listenIn(): void {
  const heard: number[] = [];
  const sockets: WebSocket[] = [];
  Object.assign(globalThis, { heard, sockets });
  const { connect } = AudioNode.prototype;
  const source = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    process([[channel]]) {
      if (channel) this.port.postMessage(channel.slice());
      return true;
    }
  })`;
  let next = 0;
  const tap = async (node: AudioNode, context: AudioContext) => {
    await context.audioWorklet.addModule(
      URL.createObjectURL(new Blob([source], { type: "text/javascript" })),
    );
    const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
      // A third of 48 kHz; speech has nothing that this would fold.
      for (; next < data.length; next += 3) heard.push(data[next]!);
      next -= data.length;
    };
    connect.call(node, recorder as never);
  };
  AudioNode.prototype.connect = function (this: AudioNode, to: AudioNode, ...rest: number[]) {
    if (to === this.context.destination) void tap(this, this.context as AudioContext);
    return (connect as (to: AudioNode, ...rest: number[]) => AudioNode).call(this, to, ...rest);
  } as typeof connect;
  const Original = WebSocket;
  globalThis.WebSocket = class extends Original {
    constructor(url: string | URL) {
      super(url);
      sockets.push(this);
    }
  };
}

/** In the page: waits until so many different pictures have been on the canvas, 20 s at most. */
async function differentPictures(wanted: number): Promise<number> {
  const canvas = document.getElementById("avatar") as HTMLCanvasElement;
  const seen = new Set<string>();
  const latest = performance.now() + 20_000;
  while (seen.size < wanted && performance.now() < latest) {
    await new Promise(requestAnimationFrame);
    seen.add(canvas.toDataURL());
  }
  return seen.size;
}
