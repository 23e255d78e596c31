import { samplesForFrames } from "../../avatar/speech-timing.ts";
import type { CoreError } from "../../gpu-core/core-error.ts";
import type { FittedMouth } from "../../gpu-core/scheduling/speech-work.ts";
import type { SeededRandom } from "../../test/fuzz/random.ts";
import { Histogram } from "./histogram.ts";
import { FRAME_MS, SETTINGS } from "./settings.ts";
import type { World } from "./world.ts";

/** What people notice. */
export class Audience {
  /** Of each request in milliseconds: from its arrival to the start of its first frame. */
  queueing = new Histogram();
  /** Milliseconds from asking for a turn to its first frame. */
  firstFrame = new Histogram();
  turns = 0;
  failedTurns = 0;
  frames = 0;
  /** Frames that came after their time on the screen. */
  lateFrames = 0;
  readonly errors = new Map<string, number>();

  /** Forgets what it noticed, failures aside. */
  reset(): void {
    this.queueing = new Histogram();
    this.firstFrame = new Histogram();
    this.frames = 0;
    this.lateFrames = 0;
  }
}

/** Draws from an exponential distribution. */
export function exponential(random: SeededRandom, mean: number): number {
  return -Math.log(1 - random.unit()) * mean;
}

/**
 * One conversation until `isOver`: the avatar is silent, then talks a turn, as
 * the edge asks for it: windows of growing size, the next one before the last
 * is through, read no further ahead than a player buffers.
 */
export async function converse(
  world: World,
  id: string,
  random: SeededRandom,
  audience: Audience,
  isOver: () => boolean,
): Promise<void> {
  const { turnMs, duty } = SETTINGS;
  const silenceMs = (turnMs * (1 - duty)) / duty;
  await pause(world, random.unit() * (silenceMs + turnMs));
  while (!isOver()) {
    const frames = Math.max(5, Math.round(exponential(random, turnMs) / FRAME_MS));
    const started = world.clock.now();
    const error = await talk(world, id, frames, audience, started);
    audience.turns++;
    if (error) {
      audience.failedTurns++;
      audience.errors.set(error.code, (audience.errors.get(error.code) ?? 0) + 1);
    }
    // The turn takes as long as it is heard.
    await pause(world, Math.max(0, started + frames * FRAME_MS - world.clock.now()));
    await pause(world, exponential(random, silenceMs));
  }
}

async function talk(
  world: World,
  id: string,
  frames: number,
  audience: Audience,
  started: number,
): Promise<CoreError | null> {
  const { startUpMs, readAheadMs, windowFrames, aheadFrames } = SETTINGS;
  const windows: { first: number; count: number }[] = [];
  for (let first = 0; first < frames; ) {
    const size = windowFrames[Math.min(windows.length, windowFrames.length - 1)]!;
    const count = Math.min(size, frames - first);
    windows.push({ first, count });
    first += count;
  }
  const open = (at: number): OpenWindow | null => {
    const window = windows[at];
    if (!window) return null;
    const mouths = ask(world, id, window.first, window.count);
    const next = mouths.next();
    next.catch(() => {});
    return { ...window, mouths, next };
  };
  let current = open(0);
  try {
    for (let at = 0; current; at++) {
      let following: OpenWindow | null = null;
      let step = await current.next;
      let isQueued = true;
      for (let n = 0; !step.done; n++) {
        const { times } = step.value;
        if (times && isQueued) {
          audience.queueing.add(times.queueMs);
          isQueued = false;
        }
        const frame = current.first + n;
        const now = world.clock.now();
        const playMs = started + startUpMs + frame * FRAME_MS;
        if (frame === 0) audience.firstFrame.add(now - started);
        audience.frames++;
        if (now > playMs) audience.lateFrames++;
        if (current.count - 1 - n <= aheadFrames) following ??= open(at + 1);
        const readMs = playMs + FRAME_MS - readAheadMs;
        if (readMs > now) await pause(world, readMs - now);
        step = await current.mouths.next();
      }
      current = following ?? open(at + 1);
    }
    return null;
  } catch (error) {
    return error as CoreError;
  }
}

interface OpenWindow {
  readonly first: number;
  readonly count: number;
  readonly mouths: AsyncGenerator<FittedMouth>;
  readonly next: Promise<IteratorResult<FittedMouth>>;
}

const NEVER = new AbortController().signal;
/** Nobody looks at the samples. */
const SILENCE = new Int16Array(samplesForFrames(0, 300).end);

/** One request, as the edge sends it. */
export function ask(
  { core }: World,
  id: string,
  first: number,
  count: number,
): AsyncGenerator<FittedMouth> {
  const { start, end } = samplesForFrames(first, first + count);
  const request = {
    modelId: id,
    version: "",
    window: { samples: SILENCE.subarray(0, end - start), start, utteranceSamples: null },
    firstFrame: first,
    backgroundIndices: Array.from({ length: count }, (_, i) => (first + i) % 4),
    priority: "live",
  } as const;
  return core.inferSpeech(request, { signal: NEVER });
}

export function pause({ clock }: World, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
