import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type ServerProcess, startServer } from "../bench/edge/server-process.ts";
import { rankNodes } from "../edge/core/fleet/rendezvous.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { LiveClient, type ReceivedBinary } from "./support/live-client.ts";
import { MOUTHPIECE } from "./support/run-command.ts";
import { readParts } from "./support/system.ts";
import {
  TINY_RECTANGLES,
  temporaryFolder,
  wavFile,
  writeTinyAvatar,
} from "./support/tiny-avatar.ts";

/** Two cores in processes of their own behind an edge; the one that speaks is killed in mid-sentence. */

const LIMIT_MS = 15_000;
const FRAMES = 100;
/** Of the ping-pong loop. */
const POSITIONS = 2 * TINY_RECTANGLES.length - 2;
/** Without a pause, so that every mouth is seen. */
const SPEECH = Int16Array.from({ length: FRAMES * 640 }, (_, n) =>
  Math.round(9000 * Math.sin((n * (1 + n / 300_000)) / 7)),
);

const ends: (() => Promise<void>)[] = [];
const cores: ServerProcess[] = [];
let edge: TestEdge;
let offline: Uint8Array[][];

before(async () => {
  const root = await temporaryFolder({ after: (end) => ends.push(end) });
  await writeTinyAvatar(root, "ada");
  const config = join(root, "core.yaml");
  const gpus = { cpu_threads_per_worker: 1 };
  const models = { ada: { preload: true } };
  await writeFile(
    config,
    JSON.stringify({ models_root: root, server: { port: 0 }, gpus, models, log_level: "error" }),
  );
  for (let n = 0; n < 2; n++)
    cores.push(await startServer([MOUTHPIECE, "core", "--config", config]));
  const core = { cores: cores.map(({ url }) => ({ url })) };
  edge = await RUNTIMES.node({ root, config: { core } });
  offline = await picturesOffline();
});
after(async () => {
  await edge?.stop();
  for (const core of cores) await kill(core);
  for (const end of ends) await end();
});

test("a core is killed in mid-sentence: the segment goes on at the other, with its pictures", async (t) => {
  const session = await open();
  const client = await LiveClient.join(edge.url, session, session.token, {
    video: ["jpeg"],
    audio: ["pcm"],
  });
  client.say(SPEECH);
  await client.told("playback_position", ({ playedMs }) => playedMs >= 1000);
  const [first] = rankNodes("ada", cores, ({ url }) => url);
  assert.ok((await framesServed(first!)) > 0, "the core that ranks first is the one that speaks");
  await kill(first!);
  const { playedMs: killedMs } = client.all("playback_position").at(-1)!;
  assert.ok(killedMs < 2500, "it is killed while there is something to ask for");
  const finished = await client.told("playback_finished");
  assert.deepEqual(
    [finished.reason, finished.playedMs],
    ["complete", FRAMES * 40],
    finished.detail ?? "",
  );

  const heard = client.heard(1);
  assert.equal(heard.length, SPEECH.length);
  assert.ok(heard.every((sample, n) => sample === SPEECH[n]));
  assert.equal(client.all("playback_started").length, 1);
  assert.equal(client.all("error").length, 0);
  const sounds = client.binaries.filter(({ kind }) => kind === "pcm");
  const checked = checkPictures(client.pictures(), sounds, offline);
  assert.ok(checked > FRAMES / 3, `${checked} pictures could be compared`);
  const gaps = sounds.slice(1).map((sound, n) => sound.timestampMs - sounds[n]!.timestampMs - 40);
  t.diagnostic(
    `${checked} pictures are those of offline rendering; longest pause ${Math.max(...gaps)} ms`,
  );

  // And what is said next needs nobody who is not there.
  client.say(SPEECH.subarray(0, 16_000));
  const next = await client.told("playback_finished", ({ segment }) => segment === 2);
  assert.equal(next.reason, "complete");
  assert.equal(client.all("playback_finished").length, 2);
  await client.close();
});

test("no core is left: the segment fails once, with a reason, and the background goes on", async () => {
  const session = await open();
  const client = await LiveClient.join(edge.url, session, session.token, {
    video: ["jpeg"],
    audio: ["pcm"],
  });
  client.say(SPEECH);
  await client.told("playback_position", ({ playedMs }) => playedMs >= 400);
  for (const core of cores) await kill(core);
  const finished = await client.told("playback_finished");
  assert.equal(finished.reason, "failed");
  assert.ok(finished.detail, "it says why");
  const { length } = client.pictures();
  await client.until("pictures", () => client.pictures()[length + 10] ?? null);
  assert.equal(client.all("playback_finished").length, 1);
  await client.close();
});

/** @returns how many pictures were compared: where speech begins, pauses and ends mouths come and go */
function checkPictures(
  pictures: readonly ReceivedBinary[],
  sounds: readonly ReceivedBinary[],
  offline: readonly (readonly Uint8Array[])[],
): number {
  const times = sounds.map(({ timestampMs }) => timestampMs);
  const isGap = (frame: number) => times[frame]! - (times[frame - 1] ?? 0) !== 40;
  let checked = 0;
  for (const { timestampMs, body, segment } of pictures) {
    if (segment !== 1) continue;
    const frame = times.indexOf(timestampMs);
    const near = [-3, -2, -1, 0, 1, 2, 3].map((n) => frame + n);
    if (near[0]! < 1 || near.some((n) => n > FRAMES - 2 || isGap(n))) continue;
    const bytes = Buffer.from(body);
    assert.ok(
      offline.some((parts) => bytes.equals(parts[frame]!)),
      `frame ${frame} is none of offline rendering`,
    );
    checked++;
  }
  return checked;
}

/** What each frame looks like at each position of the loop. */
async function picturesOffline(): Promise<Uint8Array[][]> {
  const all: Uint8Array[][] = [];
  for (let start = 0; start < POSITIONS; start++) {
    const response = await fetch(`${edge.url}/v1/avatars/ada/speak?format=jpeg&start=${start}`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: wavFile(SPEECH),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    all.push((await readParts(response)).map(({ body }) => body));
  }
  return all;
}

async function open() {
  const response = await fetch(`${edge.url}/v1/avatars/ada/sessions`, {
    method: "POST",
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()) as { token: string; urls: { socket: string } };
}

async function framesServed({ url }: ServerProcess): Promise<number> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(LIMIT_MS) });
  const text = await response.text();
  const lines = [...text.matchAll(/^mouthpiece_core_frames_total(?:\{.*\})? (\d+)/gm)];
  assert.ok(lines.length > 0, "the core counts its frames");
  return lines.reduce((sum, [, count]) => sum + Number(count), 0);
}

async function kill({ child }: ServerProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
