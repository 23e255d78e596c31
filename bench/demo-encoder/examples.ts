import { VISEME_COUNT } from "../../avatar/demo/viseme.ts";
import {
  ENCODER_ROWS,
  MEL_BANDS,
  MEL_HOP_SAMPLES,
  SAMPLE_RATE,
} from "../../avatar/speech-timing.ts";
import { melSpectrogram } from "../../gpu-core/audio/mel.ts";
import { degrade, nonSpeech } from "./augment.ts";
import { mouthTrack, TRACK_RATE } from "./mouth-track.ts";
import type { Random } from "./random.ts";
import { resample } from "./resample.ts";
import type { Utterance } from "./speak.ts";

/** One sound file, ready for training. Window w covers mel rows w .. w + 15. */
export interface Example {
  /** float32 [rows, 80] */
  readonly mel: Float32Array;
  /** float32 [windows, 6]: the mouth in the middle of each window */
  readonly targets: Float32Array;
  /** IPA letter that sounds there, "" for none. */
  readonly letters: readonly string[];
  readonly windows: number;
}

/** How to alter speech before it is learnt. */
export interface Alteration {
  /** Faster, higher and with a smaller head, or slower, lower and larger: 1 as spoken. */
  readonly speed: number;
  /** Silence before and after. */
  readonly marginSeconds: readonly [before: number, after: number];
  /** Changes the sound without changing its timing. */
  readonly treat: (samples: Float32Array) => void;
}

/** An alteration drawn at random, as training uses it. */
export function randomAlteration(random: Random): Alteration {
  return {
    speed: random.between(0.87, 1.16),
    marginSeconds: [random.between(0.1, 0.8), random.between(0.1, 0.8)],
    treat: (samples) => degrade(samples, random),
  };
}

/** Speech and its mouth. */
export function speechExample(utterance: Utterance, alteration: Alteration): Example {
  const { speed, marginSeconds, treat } = alteration;
  const spoken = resample(utterance.samples, SAMPLE_RATE / utterance.sampleRate / speed);
  const before = Math.round(marginSeconds[0] * SAMPLE_RATE);
  const after = Math.round(marginSeconds[1] * SAMPLE_RATE);
  const samples = new Float32Array(before + spoken.length + after);
  samples.set(spoken, before);
  treat(samples);
  const mel = melSpectrogram(samples);
  const track = mouthTrack(utterance);
  const example = emptyExample(mel);
  for (let window = 0; window < example.windows; window++) {
    // The middle of row w .. w + 15 lies between rows w + 7 and w + 8.
    const sample = (window + (ENCODER_ROWS - 1) / 2) * MEL_HOP_SAMPLES;
    const step = Math.round((((sample - before) * speed) / SAMPLE_RATE) * TRACK_RATE);
    if (step < 0 || step >= track.letters.length) continue;
    example.letters[window] = track.letters[step]!;
    const mouth = track.targets.subarray(step * VISEME_COUNT, (step + 1) * VISEME_COUNT);
    example.targets.set(mouth, window * VISEME_COUNT);
  }
  return example;
}

/** Sound without speech: the mouth stays closed. */
export function nonSpeechExample(seconds: number, random: Random): Example {
  return emptyExample(melSpectrogram(nonSpeech(seconds, random)));
}

function emptyExample(mel: Float32Array): Example & { readonly letters: string[] } {
  const windows = mel.length / MEL_BANDS - ENCODER_ROWS + 1;
  return {
    mel,
    targets: new Float32Array(windows * VISEME_COUNT),
    letters: new Array<string>(windows).fill(""),
    windows,
  };
}
