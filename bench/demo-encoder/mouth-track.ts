import { VISEME, VISEME_COUNT } from "../../avatar/demo/viseme.ts";
import { type MouthShape, phonemeParts } from "./mouth-shapes.ts";
import type { Utterance } from "./speak.ts";

/** Steps of a track per second. */
export const TRACK_RATE = 400;
/** Both together: a sound fades into the next within 90 ms, mostly within 60. */
const TRANSITION_MS = 60;
const ROUNDING_MS = 30;

/** How the mouth moves during an utterance. */
export interface MouthTrack {
  /** float32 [steps, 6], in the order of `VISEME` */
  readonly targets: Float32Array;
  /** Sounding IPA letter per step, "" in pauses. */
  readonly letters: readonly string[];
}

interface Sound {
  readonly letter: string;
  /** Null in a pause. */
  readonly shape: MouthShape | null;
  start: number;
  end: number;
}

/** The mouth of an utterance, from its phonemes and, for plosives, its loudness. */
export function mouthTrack({ samples, sampleRate, phonemes }: Utterance): MouthTrack {
  const seconds = samples.length / sampleRate;
  const steps = Math.ceil(seconds * TRACK_RATE);
  const sounds = placeSounds(phonemes, seconds);
  correctOnsets(sounds, samples, sampleRate);
  const lips = borrowedLips(sounds);
  const targets = new Float32Array(steps * VISEME_COUNT);
  const letters = new Array<string>(steps).fill("");
  sounds.forEach((sound, i) => {
    const end = Math.min(steps, Math.round(sound.end * TRACK_RATE));
    for (let step = Math.max(0, Math.round(sound.start * TRACK_RATE)); step < end; step++) {
      const at = step * VISEME_COUNT;
      letters[step] = sound.shape ? sound.letter : "";
      if (!sound.shape) continue;
      targets[at + VISEME.open] = sound.shape.open;
      targets[at + VISEME.spread] = lips[i]!.spread;
      targets[at + VISEME.round] = lips[i]!.round;
      targets[at + VISEME.teeth] = sound.shape.teeth;
      targets[at + VISEME.voice] = 1;
      targets[at + VISEME.pressed] = sound.shape.pressed;
    }
  });
  const smooth = boxFilter(boxFilter(targets, TRANSITION_MS), ROUNDING_MS);
  return { targets: smooth, letters };
}

function placeSounds(phonemes: Utterance["phonemes"], seconds: number): Sound[] {
  const sounds: Sound[] = [];
  phonemes.forEach(({ startMs, ipa }, i) => {
    const start = startMs / 1000;
    const end = Math.max(start, (phonemes[i + 1]?.startMs ?? seconds * 1000) / 1000);
    if (ipa === "") {
      sounds.push({ letter: "", shape: null, start, end });
      return;
    }
    const parts = phonemeParts(ipa);
    const total = parts.reduce((sum, part) => sum + part.weight, 0);
    let from = start;
    for (const { letter, shape, weight } of parts) {
      const to = from + ((end - start) * weight) / total;
      sounds.push({ letter, shape, start: from, end: to });
      from = to;
    }
  });
  return sounds;
}

/** A voiced plosive's closure is not silent; it takes about this long. */
const CLOSURE_SECONDS = 0.045;
const LONGEST_CLOSURE_SECONDS = 0.13;
/** espeak-ng reports a vowel when the way into it from a consonant is over. */
const ENTRY_SECONDS = 0.025;

/**
 * espeak-ng reports a plosive when it bursts; the lips have been closed for the
 * silence before. And a vowel begins to be seen while the tongue still leaves
 * the consonant.
 */
function correctOnsets(sounds: Sound[], samples: Float32Array, sampleRate: number): void {
  for (let i = 1; i < sounds.length; i++) {
    const sound = sounds[i]!;
    const before = sounds[i - 1]!;
    if (!sound.shape) continue;
    let earlier = 0;
    if (sound.shape.kind === "plosive") {
      const silent = silenceBefore(samples, sampleRate, sound.start);
      earlier = Math.max(CLOSURE_SECONDS, silent);
      // In a pause only the last moment belongs to the closure.
      if (!before.shape) earlier = 2 * CLOSURE_SECONDS;
    } else if (sound.shape.kind === "vowel" && before.shape && before.shape.kind !== "vowel") {
      earlier = ENTRY_SECONDS;
    }
    const room = 0.6 * (before.end - before.start);
    sound.start -= Math.min(earlier, room);
    before.end = sound.start;
  }
}

/** Seconds of near silence that end at `second`. */
function silenceBefore(samples: Float32Array, sampleRate: number, second: number): number {
  const block = Math.round(0.005 * sampleRate);
  const end = Math.round(second * sampleRate);
  const limit = end - LONGEST_CLOSURE_SECONDS * sampleRate;
  let at = end;
  while (at - block >= Math.max(0, limit)) {
    let peak = 0;
    for (let n = at - block; n < at; n++) peak = Math.max(peak, Math.abs(samples[n] ?? 0));
    if (peak > 0.01) break;
    at -= block;
  }
  return (end - at) / sampleRate;
}

/** Lip shapes of all sounds, those of the neighbours where a sound has none of its own. */
function borrowedLips(sounds: readonly Sound[]): { spread: number; round: number }[] {
  return sounds.map((_, i) => ({
    spread: borrowed(sounds, i, (shape) => shape.spread),
    round: borrowed(sounds, i, (shape) => shape.round),
  }));
}

function borrowed(
  sounds: readonly Sound[],
  i: number,
  value: (shape: MouthShape) => number | null,
): number {
  const find = (step: 1 | -1): number => {
    for (let at = i; ; at += step) {
      const shape = sounds[at]?.shape;
      if (!shape) return 0;
      const own = value(shape);
      if (own !== null) return own;
    }
  };
  // Lips prepare the coming vowel more than they remember the last.
  return 0.6 * find(1) + 0.4 * find(-1);
}

/** Moving average over `ms`, which makes steps linear ramps. Ends are as at rest. */
function boxFilter(track: Float32Array, ms: number): Float32Array {
  const half = Math.round((ms * TRACK_RATE) / 2000);
  const steps = track.length / VISEME_COUNT;
  const result = new Float32Array(track.length);
  for (let name = 0; name < VISEME_COUNT; name++) {
    let sum = 0;
    for (let step = -half; step < steps; step++) {
      const entering = step + half;
      const leaving = step - half - 1;
      if (entering < steps) sum += track[entering * VISEME_COUNT + name]!;
      if (leaving >= 0) sum -= track[leaving * VISEME_COUNT + name]!;
      if (step >= 0) result[step * VISEME_COUNT + name] = sum / (2 * half + 1);
    }
  }
  return result;
}
