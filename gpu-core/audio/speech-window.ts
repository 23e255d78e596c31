import {
  FRAMES_PER_SECOND,
  frameCount,
  SAMPLE_RATE,
  samplesForFrames,
  samplesForFramesWithin,
} from "../../avatar/speech-timing.ts";
import { CoreError } from "../core-error.ts";

/** A part of an utterance, with all the speech that some of its frames depend on. */
export interface SpeechWindow {
  /** 16-bit mono, 16 kHz. */
  readonly samples: Int16Array;
  /** Position of the first sample in the utterance, in samples. */
  readonly start: number;
  /** Length of the utterance in samples; null while it is not known. */
  readonly utteranceSamples: number | null;
}

/** Ten hours. Positions beyond it are mistakes, and arithmetic stays exact below it. */
const MAX_UTTERANCE_SAMPLES = 10 * 3600 * SAMPLE_RATE;

/**
 * Refuses a window that does not hold what frames `[first, end)` depend on.
 * @throws CoreError `invalid_argument` saying which samples are missing.
 */
export function checkSpeechWindow(window: SpeechWindow, first: number, end: number): void {
  const { samples, start, utteranceSamples } = window;
  const windowEnd = start + samples.length;
  const limit = utteranceSamples ?? windowEnd;
  if (limit > MAX_UTTERANCE_SAMPLES) {
    throw invalid("the utterance is longer than ten hours: start a new one");
  }
  if (windowEnd > limit) {
    throw invalid(
      `the speech ends at sample ${windowEnd}, beyond the utterance_samples of ${limit}`,
    );
  }
  if (utteranceSamples === 0) throw invalid("the utterance has no samples: nothing to say");
  if (utteranceSamples !== null && end > frameCount(utteranceSamples)) {
    throw invalid(
      `frames up to ${end} were asked for and the utterance has ${frameCount(utteranceSamples)} at ${FRAMES_PER_SECOND} per second`,
    );
  }
  const needed =
    utteranceSamples === null
      ? samplesForFrames(first, end)
      : samplesForFramesWithin(first, end, utteranceSamples);
  if (start > needed.start || windowEnd < needed.end) {
    throw invalid(
      `frames ${first}..${end - 1} depend on samples ${needed.start}..${needed.end - 1}, the request carries ${start}..${windowEnd - 1}`,
    );
  }
}

function invalid(message: string): CoreError {
  return new CoreError("invalid_argument", message);
}
