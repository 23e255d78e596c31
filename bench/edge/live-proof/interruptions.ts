import { median, round } from "../../compare.ts";
import { noiseOf } from "./flash-avatar.ts";
import { type Probe, takeProbe } from "./page-probe.ts";
import { pause, unixMs } from "./real-time.ts";
import type { ProofStage } from "./stage.ts";
import { openViewer, type Transport } from "./viewer-page.ts";

const TIMES = 50;
const LIMIT_MS = 200;
const SPEAKS_MS = 500;
/** What is wrong comes to light in this time. */
const WATCHED_MS = 700;
/** The background's own mouth is black. */
const CLOSED_LIGHT = 40;

/**
 * Interrupts an avatar that speaks, again and again: by the SDK in the page that shows it,
 * or over WebRTC by the agent's own connection.
 */
export async function measureInterruptions(stage: ProofStage, transport: Transport) {
  const session = await stage.open();
  const { page } = await openViewer(stage.browser, stage.site, transport, stage.edge.url, session);
  const speaker = await stage.speaker(session);
  const speech = noiseOf(4);
  const silent: number[] = [];
  const closed: number[] = [];
  try {
    for (let n = 0; n < TIMES; n++) {
      await takeProbe(page);
      speaker.say(speech, n);
      await page.waitForFunction(() => {
        const { probe } = globalThis as unknown as { probe: Probe };
        return probe.edges.at(-1)?.isLoud && (probe.pictures.at(-1)?.light ?? 0) > 200;
      });
      await pause(SPEAKS_MS);
      const atMs = transport === "WebSocket" ? await page.evaluate(interruptInPage) : unixMs();
      if (transport === "WebRTC") speaker.send({ type: "interrupt" });
      await speaker.told("interrupted", ({ epoch }) => epoch === n + 1);
      await pause(WATCHED_MS);
      const { pictures, edges } = await takeProbe(page);
      const last = edges.at(-1);
      silent.push(last && !last.isLoud ? Math.max(0, last.atMs - atMs) : Number.POSITIVE_INFINITY);
      const open = pictures.findLastIndex(({ light }) => light > CLOSED_LIGHT);
      closed.push((pictures[open + 1]?.atMs ?? Number.POSITIVE_INFINITY) - atMs);
    }
  } finally {
    await speaker.close();
    await page.close();
    await stage.remove(session);
  }
  const met = silent.filter((ms, n) => ms < LIMIT_MS && closed[n]! < LIMIT_MS).length;
  return {
    transport,
    "to silence, ms": round(median(silent), 0),
    "slowest silence": round(Math.max(...silent), 0),
    "to a closed mouth, ms": round(median(closed), 0),
    "slowest mouth": round(Math.max(...closed), 0),
    "under 200 ms, both": `${met} of ${TIMES}`,
  };
}

function interruptInPage(): number {
  const { session } = globalThis as unknown as {
    session: import("../../../client/index.ts").AvatarSession;
  };
  session.interrupt();
  return performance.timeOrigin + performance.now();
}
