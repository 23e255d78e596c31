/** A mouth is blended into the background's own in so many steps. */
export const WEIGHT_STEPS = 4;
/** Frames for which a mouth stays as it is after the last sound: pauses between words. */
const HOLD_FRAMES = 2;

/** What of a segment tells how much of a mouth is to be seen. */
export interface WeighedSpeech {
  readonly isEnded: boolean;
  readonly mouthFrames: number;
  isLoud(frame: number): boolean;
}

/**
 * How much of the speaking mouth a frame shows, in quarters: it opens over the
 * frames before the first sound, and closes in silence and towards the end.
 * The same whenever it is asked for, so that silence need not be computed.
 *
 * @param from frame at which the mouth begins to move, after silence or a pause
 */
export function mouthWeight(speech: WeighedSpeech, frame: number, from: number): number {
  const entering = frame - from + 1;
  const leaving = speech.isEnded ? speech.mouthFrames - frame : WEIGHT_STEPS;
  const bound = Math.max(0, Math.min(WEIGHT_STEPS, entering, leaving));
  return Math.min(bound, loudness(speech, frame));
}

function loudness(speech: WeighedSpeech, frame: number): number {
  let weight = 0;
  for (let ahead = 0; ahead < WEIGHT_STEPS; ahead++) {
    if (speech.isLoud(frame + ahead)) weight = Math.max(weight, WEIGHT_STEPS - ahead);
    if (weight === WEIGHT_STEPS) return weight;
  }
  for (let behind = 1; behind < HOLD_FRAMES + WEIGHT_STEPS; behind++) {
    if (!speech.isLoud(frame - behind)) continue;
    return Math.max(weight, WEIGHT_STEPS - Math.max(0, behind - HOLD_FRAMES));
  }
  return weight;
}
