import { decodeSpeech, toSpeechWav } from "../speech-audio.ts";

/**
 * Something to be said: samples of 16 kHz, mono (floats are -1..1), or a whole
 * file or buffer of any rate.
 */
export type SpeechInput = Int16Array | Float32Array | Blob | AudioBuffer;

/**
 * Samples as the session takes them.
 * @throws PlayerError `not_audio`, `audio_too_large`
 */
export async function toSpeechSamples(
  input: SpeechInput,
  context: BaseAudioContext,
): Promise<Int16Array> {
  const audio = await decodeSpeech(context, input as Blob | AudioBuffer);
  const wav = await (await toSpeechWav(audio)).arrayBuffer();
  return new Int16Array(wav.slice(WAV_HEADER_BYTES));
}

/** Samples that need no decoding; null for others. */
export function plainSamples(input: SpeechInput): Int16Array | null {
  if (input instanceof Int16Array) return input.slice();
  if (!(input instanceof Float32Array)) return null;
  return Int16Array.from(input, (sample) =>
    Math.max(-32_768, Math.min(32_767, Math.round(32_768 * (sample || 0)))),
  );
}

const WAV_HEADER_BYTES = 44;
