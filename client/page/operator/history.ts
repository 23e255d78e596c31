import type { OperatorSnapshot } from "../../../edge/operator/snapshot.ts";

/** A minute and a second. */
const MAX_SAMPLES = 61;
/** After a longer pause the line begins anew. */
const MAX_PAUSE_MS = 10_000;

/** What the last minute was like. */
export class History {
  /** Of all live sessions together. */
  readonly framesPerSecond: number[] = [];
  /** Utterances, and live sessions in which something is said. */
  readonly speaking: number[] = [];
  #last: OperatorSnapshot | null = null;

  add(snapshot: OperatorSnapshot): void {
    const last = this.#last;
    this.#last = snapshot;
    const passedMs = last ? Date.parse(snapshot.time) - Date.parse(last.time) : Number.NaN;
    if (passedMs > MAX_PAUSE_MS) this.framesPerSecond.length = this.speaking.length = 0;
    push(this.speaking, speakingIn(snapshot));
    if (last && passedMs > 0 && passedMs <= MAX_PAUSE_MS) {
      push(this.framesPerSecond, (1000 * shownBetween(last, snapshot)) / passedMs);
    }
  }
}

export function speakingIn({ speaking, live }: OperatorSnapshot): number {
  return speaking.count + live.sessions.filter(({ isSpeaking }) => isSpeaking).length;
}

/** Those that have ended since show no more than they had. */
function shownBetween(before: OperatorSnapshot, after: OperatorSnapshot): number {
  const shown = new Map(before.live.sessions.map((each) => [each.id, each.shownFrames]));
  return after.live.sessions.reduce((sum, each) => {
    return sum + Math.max(0, each.shownFrames - (shown.get(each.id) ?? 0));
  }, 0);
}

function push(samples: number[], sample: number): void {
  samples.push(sample);
  if (samples.length > MAX_SAMPLES) samples.shift();
}
