import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { LiveClient } from "../../test/support/live-client.ts";
import { MOUTHPIECE } from "../../test/support/run-command.ts";
import { sampleSpeech } from "../../test/support/sample-speech.ts";
import { round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { cpuMsOf } from "./live-proof/cpu-of.ts";
import { startServer } from "./server-process.ts";

/** What two cores can serve beside the core: with more, frames are skipped, and cost nothing. */
const COUNTS = [1, 2, 3];
const WARM_UP_MS = 6000;
const MEASURED_MS = 10_000;
const WAIT_MS = 500;

/**
 * CPU of an edge process on Node that serves speaking sessions in H.264 and Opus over
 * WebSockets: clock, core's mouths over gRPC, composition, sockets. The core and the
 * clients are processes of their own and not counted.
 * @param roots with the avatar `demo`, published as H.264, by how it is spliced
 */
export async function benchSessionsPerCore(roots: Readonly<Record<string, string>>): Promise<Rows> {
  const rows: Record<string, string | number>[] = [];
  for (const [mode, root] of Object.entries(roots)) {
    for (const sessions of COUNTS) rows.push(await measure(mode, root, sessions));
  }
  return rows;
}

async function measure(mode: string, root: string, count: number) {
  const start = async (part: string, settings: object) => {
    const file = join(root, `${part}.yaml`);
    await writeFile(file, JSON.stringify({ server: { port: 0 }, log_level: "error", ...settings }));
    return startServer([MOUTHPIECE, part, "--config", file]);
  };
  const core = await start("core", { models_root: root });
  try {
    const edge = await start("edge", { avatars_root: root, core: { url: core.url } });
    try {
      const clients = await Promise.all(
        Array.from({ length: count }, () => joinAndSpeak(edge.url)),
      );
      const speech = await sampleSpeech();
      const feed = setInterval(() => {
        for (const client of clients) {
          const waiting = client.sent - (client.heardMs() * SAMPLE_RATE) / 1000;
          if (waiting < 3 * SAMPLE_RATE) client.say(speech);
        }
      }, WAIT_MS);
      await pause(WARM_UP_MS);
      const frames = () => clients.reduce((sum, { client }) => sum + client.pictures().length, 0);
      const spoken = () =>
        clients.reduce(
          (sum, { client }) => sum + client.pictures().filter(({ segment }) => segment > 0).length,
          0,
        );
      const [cpu, seen, said] = [await cpuMsOf(edge.child.pid!), frames(), spoken()];
      const started = performance.now();
      await pause(MEASURED_MS);
      const seconds = (performance.now() - started) / 1000;
      const usedMs = (await cpuMsOf(edge.child.pid!)) - cpu;
      clearInterval(feed);
      const perFrame = usedMs / (frames() - seen);
      for (const { client } of clients) await client.close();
      return {
        mode,
        sessions: count,
        "frames/s of each": round((frames() - seen) / count / seconds, 1),
        "of them speaking": `${Math.round((100 * (spoken() - said)) / (frames() - seen))} %`,
        "CPU s per s": round(usedMs / 1000 / seconds, 2),
        "CPU ms per frame": round(perFrame, 2),
        "sessions per core": round(1000 / (25 * perFrame), 1),
      };
    } finally {
      edge.child.kill("SIGKILL");
    }
  } finally {
    core.child.kill("SIGKILL");
  }
}

/** A viewer who also speaks, and how far it has come. */
async function joinAndSpeak(edge: string) {
  const response = await fetch(`${edge}/v1/avatars/demo/sessions`, { method: "POST" });
  if (!response.ok) throw new Error(await response.text());
  const session = (await response.json()) as { token: string; urls: { socket: string } };
  const offer = { video: ["h264"], audio: ["opus"] };
  const client = await LiveClient.join(edge, session, session.token, offer);
  return {
    client,
    sent: 0,
    heardMs: () => client.all("playback_position").at(-1)?.playedMs ?? 0,
    say(this: { sent: number }, speech: Int16Array) {
      client.say(speech, 0, false);
      this.sent += speech.length;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
