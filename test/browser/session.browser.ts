import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { main } from "../../cli/main.ts";
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
  Object.assign(globalThis, { id, session, events, AvatarSession, url, token });
</script>`;

interface TestGlobals {
  readonly id: string;
  readonly url: string;
  readonly session: import("../../client/index.ts").AvatarSession;
  readonly AvatarSession: typeof import("../../client/index.ts").AvatarSession;
  readonly events: { readonly kind: string; readonly detail: unknown }[];
  readonly loudness: number[];
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

  const open = async () => {
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
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
      const loudest = await tab.evaluate(() =>
        Math.max(...(globalThis as unknown as TestGlobals).loudness),
      );
      assert.ok(loudest > 0.02, `it was heard at ${loudest}`);
      const { detail } = await event("stats");
      assert.ok(Number(detail.framesPerSecond) > 0 && Number(detail.bitsPerSecond) > 0);
      assert.equal(detail.isSoundBlocked, false);
      assert.deepEqual(failures, []);
    });
  }
});

/** In the page, before all else: hears what goes to the loudspeaker, and keeps sockets. */
function listenIn(): void {
  const loudness: number[] = [];
  const sockets: WebSocket[] = [];
  Object.assign(globalThis, { loudness, sockets });
  const { connect } = AudioNode.prototype;
  AudioNode.prototype.connect = function (this: AudioNode, to: AudioNode, ...rest: number[]) {
    if (to === this.context.destination) {
      const analyser = new AnalyserNode(this.context, { fftSize: 1024 });
      connect.call(this, analyser);
      const samples = new Float32Array(analyser.fftSize);
      setInterval(() => {
        analyser.getFloatTimeDomainData(samples);
        loudness.push(Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / 1024));
      }, 20);
    }
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
