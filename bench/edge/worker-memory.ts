import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDemoSource } from "../../avatar/demo/demo-source.ts";
import { createFolderStaging } from "../../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../../avatar/writer.ts";
import { main } from "../../cli/main.ts";
import { MOUTHPIECE } from "../../test/support/run-command.ts";
import { buildTinyEncoder, buildTinyUnet, tone, wavFile } from "../../test/support/tiny-avatar.ts";
import { median, round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { startServer } from "./server-process.ts";
import { type HeapUsage, startWorker, type WorkerProcess } from "./worker-process.ts";

const AVATARS = ["ada", "ben", "cleo"];
const SPEAKERS = 20;
const CASES: readonly Case[] = [
  { formats: ["h264"], videoMode: "band" },
  { formats: ["h264"], videoMode: "box" },
  { formats: ["jpeg"], videoMode: "band" },
  { formats: ["jpeg", "png"], videoMode: "band" },
];
/** Of each avatar: more than the Worker's cache of prepared frames takes. */
const FRAMES = 125;
const MINUTES = Number(process.env.BENCH_MINUTES ?? 5);
const SPEECH_S = 8;
const SAMPLE_MS = 500;
const COLLECT_EVERY = 20;

interface Case {
  /** Asked for in turn. */
  readonly formats: readonly string[];
  /** How the avatars' video was published. */
  readonly videoMode: "band" | "box";
}

/**
 * What the isolate of a Worker holds while 20 people are spoken to by three
 * avatars of 1280x720, in H.264 as band and as box, in JPEG, and half of them in PNG. The model is a small one, so that
 * there is as much to composite as there can be. workerd collects garbage when
 * it likes: what is seen at any time has garbage in it. "In use" is what a heap
 * snapshot finds, every ten seconds.
 */
export async function benchWorkerMemory(): Promise<Rows> {
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  try {
    const rootOf = (videoMode: string) => join(folder, `published-${videoMode}`);
    for (const videoMode of ["band", "box"] as const) {
      await publishAvatars(join(folder, "imported"), rootOf(videoMode), videoMode);
    }
    const rows: Record<string, string | number>[] = [];
    for (const { formats, videoMode } of CASES) {
      const isVideo = formats.includes("h264");
      rows.push({
        formats: isVideo ? `h264, ${videoMode}` : formats.join(" and "),
        ...(await measureWorkerMemory(folder, rootOf(videoMode), formats)),
      });
    }
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param root holds the avatars */
async function measureWorkerMemory(folder: string, root: string, formats: readonly string[]) {
  const config = join(folder, "core.yaml");
  await writeFile(config, JSON.stringify({ models_root: root, server: { port: 0 } }));
  const core = await startServer([MOUTHPIECE, "core", "--config", config]);
  try {
    const worker = await startWorker(folder, root, {
      core: { url: core.url },
      limits: { max_speaking: SPEAKERS },
    });
    try {
      return await measure(worker, formats);
    } finally {
      await worker.stop();
    }
  } finally {
    core.child.kill("SIGKILL");
  }
}

async function measure({ url, memory }: WorkerProcess, formats: readonly string[]) {
  const until = performance.now() + 60_000 * MINUTES;
  const body = wavFile(tone(SPEECH_S * 16_000));
  let bytes = 0;
  let utterances = 0;
  const speak = async (n: number) => {
    const id = AVATARS[n % AVATARS.length];
    const format = formats[n % formats.length];
    while (performance.now() < until) {
      const start = Math.floor(Math.random() * FRAMES);
      const response = await fetch(
        `${url}/v1/avatars/${id}/speak?format=${format}&start=${start}`,
        {
          method: "POST",
          headers: { "content-type": "audio/wav" },
          body,
        },
      );
      if (!response.ok || !response.body) throw new Error(await response.text());
      for await (const chunk of response.body) bytes += chunk.length;
      utterances++;
    }
  };
  const started = performance.now();
  const idle = total(await memory.usage());
  const speaking = Promise.all(Array.from({ length: SPEAKERS }, (_, n) => speak(n)));
  const seen: number[] = [];
  const live: number[] = [];
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  speaking.then(end, end);
  for (let n = 1; !isOver; n++) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    if (n % COLLECT_EVERY === 0) live.push(await memory.live());
    else seen.push(total(await memory.usage()));
  }
  await speaking;
  const seconds = (performance.now() - started) / 1000;
  const inMB = (bytes: number) => round(bytes / 1e6, 1);
  return {
    speakers: SPEAKERS,
    minutes: round(seconds / 60, 1),
    "frames / s": Math.round((utterances * SPEECH_S * 25) / seconds),
    "MB / s": round(bytes / 1e6 / seconds, 1),
    "idle, MB": inMB(idle),
    "in use, median, MB": inMB(median(live)),
    "in use at most, MB": inMB(Math.max(...live)),
    "with garbage, median, MB": inMB(median(seen)),
    "with garbage at most, MB": inMB(Math.max(...seen)),
    "of an isolate's": 128,
  };
}

function total({ usedSize, backingStorageSize }: HeapUsage): number {
  return usedSize + backingStorageSize;
}

/** One is published, and copied under the names of the others: their frames are their own to an edge. */
async function publishAvatars(
  imported: string,
  root: string,
  videoMode: Case["videoMode"],
): Promise<void> {
  const [first = ""] = AVATARS;
  const models = { model: buildTinyUnet(), audioEncoder: buildTinyEncoder() };
  const source = { ...readDemoSource(), ...models, id: first };
  await writeAvatar(source, await createFolderStaging(join(imported, videoMode), first));
  // One rendition: an utterance has no other.
  const from = [
    ...["--root", join(imported, videoMode), "--renditions", "26/32"],
    ...["--video-mode", videoMode, "--json"],
  ];
  const status = await main(["publish", first, "--to", root, ...from]);
  if (status !== 0) throw new Error("the avatar could not be published");
  const home = (id: string) => join(root, "avatars", id);
  for (const id of AVATARS.slice(1)) {
    await cp(home(first), home(id), { recursive: true });
    const pointer = JSON.parse(await readFile(join(home(first), "avatar.json"), "utf8"));
    await writeFile(join(home(id), "avatar.json"), JSON.stringify({ ...pointer, id }));
  }
}
