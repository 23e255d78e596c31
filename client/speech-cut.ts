import { withoutStart } from "./wav.ts";

/** Speech from the middle of an utterance on. */
export interface SpeechCut {
  readonly speech: Blob;
  /** Frame of the utterance that the first frame of `speech` is. */
  readonly firstFrame: number;
}

/**
 * Cuts off as much of the beginning as the frames after `after` do not depend
 * on: their mouths come out as they would of all of it.
 * @param wav 16 kHz, 16-bit, mono, as `encodeWav` makes it.
 * @param after Number of a frame, -1 before the first.
 */
export async function cutSpeech(wav: Blob, after: number, fps: number): Promise<SpeechCut> {
  const windows = Math.floor((after + 1 - CONTEXT_FRAMES) / WINDOW_FRAMES);
  const firstFrame = Math.max(0, windows) * WINDOW_FRAMES;
  if (firstFrame === 0) return { speech: wav, firstFrame };
  const speech = await withoutStart(wav, Math.round((firstFrame * SPEECH_RATE) / fps));
  return { speech, firstFrame };
}

/** Of speech at the edge, in Hz. */
const SPEECH_RATE = 16_000;
/** A mouth depends on the 385 ms of speech before its own time. */
const CONTEXT_FRAMES = 12;
/** Five frames are 16 rows of the mel spectrogram: a cut there moves no window. */
const WINDOW_FRAMES = 5;
