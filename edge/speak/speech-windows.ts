import {
  frameCount,
  framesDecidedBy,
  samplesForFrames,
  samplesForFramesWithin,
} from "../../avatar/speech-timing.ts";
import { SampleBuffer } from "./sample-buffer.ts";

/** Frames to ask for together, and the speech that they depend on. */
export interface SpeechWindow {
  readonly firstFrame: number;
  readonly frames: number;
  readonly samples: Int16Array;
  /** Position of the first sample in the utterance. */
  readonly start: number;
  /** Length of the utterance in samples; null while it is not known. */
  readonly utteranceSamples: number | null;
}

/**
 * Small at first, so that the first frame comes soon; then larger, because
 * each window costs the core 15 encoder runs for its context.
 */
const WINDOW_FRAMES = [5, 10, 25, 50] as const;

/**
 * Cuts an utterance into windows while it arrives. Keeps no more of it than
 * the next window can need.
 */
export async function* cutSpeechWindows(
  speech: AsyncIterable<Int16Array>,
): AsyncGenerator<SpeechWindow> {
  const buffer = new SampleBuffer();
  let next = 0;
  let index = 0;
  const size = () => WINDOW_FRAMES[Math.min(index, WINDOW_FRAMES.length - 1)]!;

  for await (const samples of speech) {
    buffer.append(samples);
    while (framesDecidedBy(buffer.end) - next >= size()) {
      const frames = size();
      const { start, end } = samplesForFrames(next, next + frames);
      const window = { firstFrame: next, frames, start, utteranceSamples: null };
      yield { ...window, samples: buffer.slice(start, end) };
      next += frames;
      index++;
      // The last frames may look further back than these do: their window is moved.
      buffer.forgetBefore(samplesForFramesWithin(next, next + 1, buffer.end).start);
    }
  }

  const total = buffer.end;
  const last = frameCount(total);
  while (next < last) {
    const frames = Math.min(size(), last - next);
    const { start, end } = samplesForFramesWithin(next, next + frames, total);
    const window = { firstFrame: next, frames, start, utteranceSamples: total };
    yield { ...window, samples: buffer.slice(start, end) };
    next += frames;
    index++;
  }
}
