import { availableParallelism } from "node:os";
import { readAvatar } from "../../avatar/catalogue.ts";
import { systemClock } from "../../avatar/clock.ts";
import { silentLogger } from "../../avatar/logger.ts";
import { mouthRegion } from "../../avatar/manifest.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { FRAMES_PER_SECOND } from "../../avatar/speech-timing.ts";
import { parseEdgeConfig } from "../../edge/config.ts";
import type { CoreClient, MouthRegion, SpeechCall } from "../../edge/core/core-client.ts";
import type { LiveFormat } from "../../edge/live/live-media.ts";
import { LiveSession } from "../../edge/live/live-session.ts";
import { createPreparerPool } from "../../edge/runtime/preparer-pool.ts";
import { type OpenedComposers, openComposers } from "../../edge/speak/open-composers.ts";
import { round } from "../compare.ts";
import type { Rows } from "../rows.ts";

const SESSIONS = 8;
const MEASURED_MS = 8000;
const WARM_UP_MS = 4000;
const WAIT_MS = 50;

/**
 * What a live session costs its edge beside the core and the network: frames of a
 * published avatar, with mouths that are there at once.
 * @param root with the avatar `demo`, published for both formats
 */
export async function benchLiveCost(root: string): Promise<Rows> {
  const store = createFolderStore(root);
  const preparer = createPreparerPool(availableParallelism());
  const config = parseEdgeConfig({ avatars_root: root }, "bench");
  const now = () => performance.now();
  const opened = openComposers({ config, store, preparer, now });
  try {
    const rows: Record<string, string | number>[] = [];
    for (const format of ["jpeg", "h264"] as const) {
      for (const isSpeaking of [false, true]) {
        rows.push(await measure(root, opened, format, isSpeaking));
      }
    }
    return rows;
  } finally {
    await preparer.stop();
  }
}

async function measure(
  root: string,
  { composers, mouths }: OpenedComposers,
  format: LiveFormat,
  isSpeaking: boolean,
) {
  const avatar = await readAvatar(createFolderStore(root), "demo");
  // Made before, and not those that belong there: video would have nothing to code.
  const pixels: Uint8Array[] = [];
  for (let index = 0; index < avatar.summary.frameCount; index++) {
    const { width, height } = mouthRegion(avatar.manifest, index);
    const other = await mouths.get(avatar, (index + 7) % avatar.summary.frameCount);
    const fitted = new Uint8Array(3 * width * height);
    fitted.set(other.subarray(0, fitted.length));
    pixels.push(fitted);
  }
  const core: CoreClient = {
    async *inferSpeech(call: SpeechCall): AsyncGenerator<MouthRegion> {
      for (const [n, index] of call.backgroundIndices.entries()) {
        const region = mouthRegion(avatar.manifest, index);
        const frame = call.firstFrame + n;
        yield { frame, backgroundIndex: index, region, pixels: pixels[index]!, times: null };
      }
    },
    loadModel: async () => 0,
    checkHealth: async () => {},
  };
  let bytes = 0;
  let frames = 0;
  const sessions = Array.from({ length: SESSIONS }, (_, n) => {
    const session = new LiveSession({
      id: `bench-${n}`,
      avatar,
      core,
      composer: () => composers.open(avatar, format),
      ownMouth: (index) => mouths.get(avatar, index),
      clock: systemClock,
      logger: silentLogger,
      limits: { maxSpeechAheadS: 60 },
    });
    session.attach({
      format,
      frame({ parts }) {
        frames++;
        for (const { length } of parts) bytes += length;
      },
      sound() {},
      interrupted() {},
      ended() {},
    });
    return session;
  });
  const speech = Int16Array.from({ length: 16_000 }, (_, n) => 8000 * Math.sin(n / 9));
  const feed = setInterval(() => {
    for (const session of sessions) {
      if (isSpeaking && session.roomSamples > 50 * 16_000) session.pushSpeech(speech);
    }
  }, WAIT_MS);
  await pause(WARM_UP_MS);
  [bytes, frames] = [0, 0];
  const before = process.cpuUsage();
  const started = performance.now();
  await pause(MEASURED_MS);
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - started) / 1000;
  clearInterval(feed);
  for (const session of sessions) session.end("measured");
  const cpuMs = (user + system) / 1000;
  return {
    format,
    mouth: isSpeaking ? "speaks" : "idle",
    sessions: SESSIONS,
    "frames/s of each": round(frames / SESSIONS / seconds, 1),
    "CPU ms per frame": round(cpuMs / frames, 2),
    "KB/s of each": round(bytes / SESSIONS / seconds / 1024, 0),
    "sessions per CPU": Math.floor((1000 * frames) / (FRAMES_PER_SECOND * cpuMs)),
    skipped: sessions.reduce((sum, { stats }) => sum + stats.skippedFrames, 0),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
