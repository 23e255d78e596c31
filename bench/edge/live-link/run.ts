import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { round } from "../../compare.ts";
import { beeps } from "../live-proof/flash-avatar.ts";
import { type SeenPicture, takeProbe } from "../live-proof/page-probe.ts";
import { pause, sayInRealTime, unixMs } from "../live-proof/real-time.ts";
import { openProofStage, type ProofStage } from "../live-proof/stage.ts";
import { openViewer, type Transport } from "../live-proof/viewer-page.ts";
import { GOOD_LINK, type LinkState, NEAR_ADDRESS, type NetworkLink, openLink } from "./link.ts";

/** Runs in a network namespace of its own, and prints its rows as JSON: see `main.ts`. */

const WATCHED_MS = 12_000;
const BLACKOUT_MS = 3000;
const RECOVERS_MS = 9000;
const SETTLE_MS = 3000;
const TRANSPORTS = ["WebSocket", "WebRTC"] as const;
const LINKS: Readonly<Record<string, Partial<LinkState>>> = {
  "as good as it gets": {},
  "400 kbit/s": { kbps: 400 },
  "5 % lost": { loss: 0.05 },
  "20 % lost": { loss: 0.2 },
};

const folder = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
const link = await openLink(folder, process.env.CHROMIUM ?? "/usr/bin/chromium");
process.env.CHROMIUM = link.chromium;
try {
  const stage = await openProofStage(NEAR_ADDRESS);
  try {
    const rows: object[] = [];
    for (const transport of TRANSPORTS) {
      for (const name of [...Object.keys(LINKS), "blackout of 3 s"]) {
        rows.push(await measure(stage, link, transport, name));
      }
    }
    console.log(`rows ${JSON.stringify(rows)}`);
  } finally {
    await stage.close();
  }
} finally {
  link.close();
  await rm(folder, { recursive: true, force: true });
}
process.exit();

async function measure(stage: ProofStage, link: NetworkLink, transport: Transport, name: string) {
  const session = await stage.open();
  const { browser, site, edge } = stage;
  const { page } = await openViewer(browser, site, transport, edge.url, session);
  const speaker = await stage.speaker(session);
  try {
    const isBlackout = !(name in LINKS);
    const watchedMs = isBlackout ? BLACKOUT_MS + RECOVERS_MS : WATCHED_MS;
    const said = sayInRealTime(speaker, beeps((SETTLE_MS + watchedMs) / 1000));
    await pause(SETTLE_MS);
    await takeProbe(page);
    const startedMs = unixMs();
    link.set({ ...GOOD_LINK, ...(isBlackout ? { is_dark: true } : LINKS[name]) });
    if (isBlackout) {
      await pause(BLACKOUT_MS);
      link.set(GOOD_LINK);
      await pause(RECOVERS_MS);
    } else await pause(WATCHED_MS);
    const endedMs = unixMs();
    link.set(GOOD_LINK);
    await said;
    // What could not be told over a link that is bad is told now.
    const { pictures, edges } = await takeProbe(page);
    const seen = pictures.filter(({ atMs }) => atMs < endedMs);
    const sounds = edges.filter(({ isLoud, atMs }) => isLoud && atMs < endedMs).length;
    const back = seen.find(({ atMs }) => atMs > startedMs + BLACKOUT_MS)?.atMs ?? Number.NaN;
    return {
      transport,
      link: name,
      "pictures per s": round((1000 * seen.length) / (endedMs - startedMs), 1),
      "longest freeze, ms": round(longestGap(seen, startedMs, endedMs), 0),
      "sounds heard": `${sounds} of ${Math.floor(watchedMs / 1000)}`,
      "picture again after, ms": isBlackout ? round(back - startedMs - BLACKOUT_MS, 0) : "",
    };
  } finally {
    link.set(GOOD_LINK);
    await speaker.close();
    await page.close();
    await stage.remove(session);
  }
}

function longestGap(pictures: readonly SeenPicture[], fromMs: number, toMs: number): number {
  const times = [fromMs, ...pictures.map(({ atMs }) => atMs), toMs];
  return Math.max(...times.slice(1).map((time, n) => time - times[n]!));
}
