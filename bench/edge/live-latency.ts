import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LiveClient } from "../../test/support/live-client.ts";
import { MOUTHPIECE } from "../../test/support/run-command.ts";
import { median, round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { startServer } from "./server-process.ts";

const ROUNDS = 15;
const WARM_UP = 3;
const SPEAKS_MS = 700;

/**
 * From the first byte of speech to the first sound of the avatar, and from an
 * interruption to the last sound, at a client of the live protocol: core, edge
 * and client are three processes on loopback.
 * @param root with the avatar `demo`
 */
export async function benchLiveLatency(root: string): Promise<Rows> {
  const file = join(root, "core.yaml");
  await writeFile(file, JSON.stringify({ models_root: root, server: { port: 0 } }));
  const core = await startServer([MOUTHPIECE, "core", "--config", file]);
  try {
    const config = join(root, "edge.yaml");
    const edgeConfig = { avatars_root: root, server: { port: 0 }, core: { url: core.url } };
    await writeFile(config, JSON.stringify(edgeConfig));
    const edge = await startServer([MOUTHPIECE, "edge", "--config", config]);
    try {
      return [await measure(edge.url)];
    } finally {
      edge.child.kill("SIGKILL");
    }
  } finally {
    core.child.kill("SIGKILL");
  }
}

async function measure(edge: string) {
  const response = await fetch(`${edge}/v1/avatars/demo/sessions`, { method: "POST" });
  if (!response.ok) throw new Error(await response.text());
  const session = (await response.json()) as { token: string; urls: { socket: string } };
  const offer = { video: ["jpeg"], audio: ["pcm"] };
  const client = await LiveClient.join(edge, session, session.token, offer);
  const speech = Int16Array.from({ length: 48_000 }, (_, n) => 8000 * Math.sin(n / 9));
  const sounds = () => client.binaries.filter(({ kind }) => kind === "pcm");
  const first: number[] = [];
  const told: number[] = [];
  const last: number[] = [];
  for (let n = 0; n < WARM_UP + ROUNDS; n++) {
    const { length } = sounds();
    const said = performance.now();
    client.say(speech, n);
    const heard = await client.until("sound", () => sounds()[length] ?? null);
    await pause(SPEAKS_MS);
    const interrupted = performance.now();
    client.send({ type: "interrupt" });
    await client.told("interrupted", ({ epoch }) => epoch === n + 1);
    const toldMs = performance.now() - interrupted;
    await pause(SPEAKS_MS);
    if (n < WARM_UP) continue;
    first.push(heard.atMs - said);
    told.push(toldMs);
    last.push(Math.max(0, sounds().at(-1)!.atMs - interrupted));
  }
  await client.close();
  return {
    "speech to first sound, ms": round(median(first), 0),
    "slowest of 15": round(Math.max(...first), 0),
    "interruption to silence, ms": round(median(told), 1),
    slowest: round(Math.max(...told), 1),
    "last sound after it, ms": round(Math.max(...last), 1),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
