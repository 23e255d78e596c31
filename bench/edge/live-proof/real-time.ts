import type { LiveClient } from "../../../test/support/live-client.ts";

/** Samples of a message: 20 ms, as a microphone gives them. */
const PIECE = 320;

/** Unix milliseconds, finer than `Date.now`. */
export function unixMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Says `speech` as it is spoken: each piece when its last sample has been recorded.
 * @returns when its first sample was, Unix milliseconds
 */
export async function sayInRealTime(client: LiveClient, speech: Int16Array, epoch = 0) {
  const startMs = unixMs();
  for (let at = 0; at < speech.length; at += PIECE) {
    const dueMs = startMs + (at + PIECE) / 16;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - unixMs())));
    client.say(speech.subarray(at, at + PIECE), epoch, false);
  }
  return startMs;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
