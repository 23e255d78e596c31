import { median, round } from "../../compare.ts";
import { BEEP, beeps } from "./flash-avatar.ts";
import { type SeenPicture, takeProbe } from "./page-probe.ts";
import { pause, sayInRealTime } from "./real-time.ts";
import type { ProofStage } from "./stage.ts";
import { openViewer, type Transport } from "./viewer-page.ts";

/** The mouth is open: half of white. */
const OPEN_LIGHT = 110;
/** A flash belongs to the last sound that was recorded this long before: less cannot be. */
const LEAST_DELAY_MS = 400;
const EVERY_MS = BEEP.everySamples / 16;
/** What a picture depends on: `docs/live-protocol.md`. */
const LOOK_AHEAD_MS = 452;
const SETTLE_MS = 2000;

/** One sound: when it was recorded, heard and seen. Unix milliseconds; null: it was not. */
export interface Beep {
  readonly recordedMs: number;
  readonly heardMs: number | null;
  readonly seenMs: number | null;
}

/** Speech in real time for some seconds, with a sound each second. */
export async function sayBeeps(
  stage: ProofStage,
  transport: Transport,
  seconds: number,
  relay: number | null = null,
): Promise<{ beeps: Beep[]; pictures: SeenPicture[]; firstMs: number }> {
  const session = await stage.open();
  const { page, firstMs } = await openViewer(
    stage.browser,
    stage.site,
    transport,
    stage.edge.url,
    session,
    relay,
  );
  const speaker = await stage.speaker(session);
  try {
    const startMs = await sayInRealTime(speaker, beeps(seconds));
    await pause(SETTLE_MS);
    const { pictures, edges } = await takeProbe(page);
    const heard = edges.filter(({ isLoud }) => isLoud).map(({ atMs }) => atMs);
    const seen = flashes(pictures);
    const found: Beep[] = [];
    for (
      let at = BEEP.firstSample;
      at + BEEP.samples <= 16_000 * seconds;
      at += BEEP.everySamples
    ) {
      const recordedMs = startMs + at / 16;
      const seenMs =
        seen.find((time) => {
          const delayMs = time - recordedMs;
          return delayMs > LEAST_DELAY_MS && delayMs < LEAST_DELAY_MS + EVERY_MS;
        }) ?? null;
      const isNear = (time: number) => Math.abs(time - (seenMs ?? recordedMs)) < EVERY_MS / 2;
      const heardMs = heard.find(isNear) ?? null;
      found.push({ recordedMs, heardMs, seenMs });
    }
    return { beeps: found, pictures, firstMs };
  } finally {
    await speaker.close();
    await page.close();
    await stage.remove(session);
  }
}

/** Times at which the mouth opens. */
export function flashes(pictures: readonly SeenPicture[]): number[] {
  return pictures
    .filter(({ light }, n) => light > OPEN_LIGHT && (pictures[n - 1]?.light ?? 0) <= OPEN_LIGHT)
    .map(({ atMs }) => atMs);
}

/** Sound ahead of its picture is positive, as in ITU-R BT.1359. */
export function offsets(found: readonly Beep[]): number[] {
  return found.flatMap(({ heardMs, seenMs }) =>
    heardMs === null || seenMs === null ? [] : [seenMs - heardMs],
  );
}

export async function measureInStep(stage: ProofStage, transport: Transport, seconds: number) {
  const { beeps: found } = await sayBeeps(stage, transport, seconds);
  const apart = offsets(found);
  const delays = found.flatMap(({ recordedMs, seenMs }) =>
    seenMs === null ? [] : [seenMs - recordedMs - LOOK_AHEAD_MS],
  );
  const isIn = apart.filter((ms) => ms <= 45 && ms >= -100).length;
  const tenth = Math.ceil(apart.length / 10);
  const end = median(apart.slice(-tenth)) - median(apart.slice(0, tenth));
  return {
    transport,
    sounds: found.length,
    "with flash and sound": apart.length,
    "glass to glass beyond look-ahead, ms": round(median(delays), 0),
    "at worst": round(Math.max(...delays), 0),
    "sound ahead of picture, ms": round(median(apart), 0),
    least: round(Math.min(...apart), 0),
    most: round(Math.max(...apart), 0),
    "within +45/-100": `${isIn} of ${apart.length}`,
    "last tenth against first, ms": round(end, 1),
  };
}
