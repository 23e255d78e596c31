import assert from "node:assert/strict";
import { test } from "node:test";
import { main } from "../../cli/main.ts";
import { sampleSpeech } from "../support/sample-speech.ts";
import { startSystem } from "../support/system.ts";
import {
  TINY_HEIGHT,
  TINY_WIDTH,
  temporaryFolder,
  writeTinyAvatar,
} from "../support/tiny-avatar.ts";
import { startChromium } from "./chromium.ts";

/** What a page has seen and heard of a session. */
interface Watched {
  readonly pictures: number;
  readonly width: number;
  readonly height: number;
  readonly loudMs: number;
  readonly errors: string[];
  readonly told: { readonly type: string; readonly reason?: string }[];
  /** Between a sound and the picture of its moment, as they arrived: more for one of twenty. */
  readonly apartMs: number;
  readonly lastSoundAfterInterruptMs: number;
}

test("Chromium decodes a live session: pictures, sound, an interruption, and coming back", async (t) => {
  const imported = await temporaryFolder(t);
  const root = await temporaryFolder(t);
  await writeTinyAvatar(imported, "ada");
  const publish = ["publish", "ada", "--to", root, "--root", imported, "--json"];
  assert.equal(await main([...publish, "--formats", "jpeg,h264"]), 0);
  const system = await startSystem(root);
  t.after(() => system.stop());
  const browser = await startChromium("");
  t.after(() => browser.close());
  const tab = await browser.newPage();
  await tab.goto(`${system.edge.url}/livez`);
  const speech = [...(await sampleSpeech()).subarray(0, 48_000)];
  const watched: Watched = await tab.evaluate(async (samples) => {
    const response = await fetch("/v1/avatars/ada/sessions", { method: "POST" });
    const session = await response.json();
    const told: { type: string; reason?: string; epoch?: number }[] = [];
    const errors: string[] = [];
    const arrivals = new Map<number, { sound?: number; picture?: number }>();
    const seen = { pictures: 0, width: 0, height: 0, loudMs: 0, interruptedMs: 0, lastSoundMs: 0 };
    const fail = (error: unknown) => errors.push(String(error));

    const sound = new AudioDecoder({
      output(data) {
        const values = new Float32Array(data.numberOfFrames);
        data.copyTo(values, { planeIndex: 0, format: "f32-planar" });
        if (values.some((value) => Math.abs(value) > 0.02)) seen.loudMs += data.duration / 1000;
        data.close();
      },
      error: fail,
    });
    sound.configure({ codec: "opus", sampleRate: 48_000, numberOfChannels: 1 });

    const connect = () => {
      let video: VideoDecoder | null = null;
      const show = (body: Uint8Array, isKey: boolean, timestampMs: number) => {
        if (!video) {
          video = new VideoDecoder({
            output(frame) {
              seen.pictures++;
              seen.width = frame.displayWidth;
              seen.height = frame.displayHeight;
              frame.close();
            },
            error: fail,
          });
          // The three bytes behind the first of the sequence parameter set.
          const at = body.findIndex((byte, n) => byte === 1 && (body[n + 1]! & 31) === 7) + 2;
          const hex = [...body.subarray(at, at + 3)].map((b) => b.toString(16).padStart(2, "0"));
          video.configure({ codec: `avc1.${hex.join("")}`, optimizeForLatency: true });
        }
        const type = isKey ? "key" : "delta";
        video.decode(new EncodedVideoChunk({ type, timestamp: 1000 * timestampMs, data: body }));
      };
      const socket = new WebSocket(
        session.urls.socket.replace(/^/, location.origin.replace("http", "ws")),
      );
      socket.binaryType = "arraybuffer";
      socket.onopen = () => {
        const offer = { video: ["h264", "jpeg"], audio: ["opus", "pcm"] };
        socket.send(JSON.stringify({ type: "join", protocol: 1, token: session.token, ...offer }));
      };
      socket.onmessage = ({ data }) => {
        if (typeof data === "string") {
          told.push(JSON.parse(data));
          return;
        }
        const view = new DataView(data);
        socket.send(JSON.stringify({ type: "ack", sequence: view.getUint32(8) }));
        const body = new Uint8Array(data, 16);
        const timestampMs = view.getUint32(4);
        const moment = arrivals.get(timestampMs) ?? {};
        arrivals.set(timestampMs, moment);
        if (view.getUint8(1) === 4) {
          moment.sound = performance.now();
          seen.lastSoundMs = performance.now();
          const chunk = { type: "key", timestamp: 1000 * timestampMs, data: body } as const;
          sound.decode(new EncodedAudioChunk(chunk));
        } else {
          moment.picture = performance.now();
          show(body, (view.getUint16(2) & 1) === 1, timestampMs);
        }
      };
      return socket;
    };
    const until = async (what: string, look: () => boolean) => {
      for (let n = 0; n < 1000 && !look(); n++) await new Promise((done) => setTimeout(done, 20));
      if (!look()) errors.push(`${what}: it did not come`);
    };
    const say = (socket: WebSocket, epoch: number) => {
      for (let at = 0; at < samples.length; at += 8000) {
        const part = Int16Array.from(samples.slice(at, at + 8000));
        const message = new Uint8Array(16 + part.byteLength);
        message.set([1, 16]);
        message[15] = epoch;
        message.set(new Uint8Array(part.buffer), 16);
        socket.send(message);
      }
      socket.send('{"type":"speech_end"}');
    };
    const count = (type: string) => told.filter((each) => each.type === type).length;

    const first = connect();
    await until("the first segment", () => first.readyState === 1 && count("joined") === 1);
    say(first, 0);
    await until("its end", () => count("playback_finished") === 1);
    say(first, 0);
    await until("the second segment", () => count("playback_started") === 2);
    await new Promise((done) => setTimeout(done, 500));
    seen.interruptedMs = performance.now();
    first.send('{"type":"interrupt"}');
    await until("the interruption", () => count("playback_finished") === 2);
    await new Promise((done) => setTimeout(done, 300));
    const lastSoundAfterInterruptMs = Math.max(0, seen.lastSoundMs - seen.interruptedMs);
    first.close();
    const second = connect();
    await until("the second connection", () => count("joined") === 2);
    say(second, 1);
    await until("the third segment", () => count("playback_finished") === 3);
    await sound.flush();
    second.close();
    const both = [...arrivals.values()].filter((each) => each.sound && each.picture);
    const apart = both.map((each) => Math.abs(each.sound! - each.picture!)).sort((a, b) => a - b);
    const apartMs = apart[Math.floor(0.95 * apart.length)] ?? 0;
    const { pictures, width, height, loudMs } = seen;
    const rest = { errors, told, apartMs, lastSoundAfterInterruptMs };
    return { pictures, width, height, loudMs, ...rest };
  }, speech);
  assert.deepEqual(watched.errors, []);
  assert.deepEqual([watched.width, watched.height], [TINY_WIDTH, TINY_HEIGHT]);
  // Two segments of three seconds, and what is between them.
  assert.ok(watched.pictures > 150, `${watched.pictures} pictures`);
  assert.ok(watched.loudMs > 3000, `${watched.loudMs} ms are heard`);
  const ends = watched.told.filter(({ type }) => type === "playback_finished");
  assert.deepEqual(
    ends.map(({ reason }) => reason),
    ["complete", "interrupted", "complete"],
  );
  t.diagnostic(
    `19 of 20 sounds arrive within ${watched.apartMs.toFixed(0)} ms of their picture, the last sound ${watched.lastSoundAfterInterruptMs.toFixed(0)} ms after the interruption`,
  );
});
