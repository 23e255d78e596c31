import { PlayerError } from "./player-error.ts";
import { encodeWav } from "./wav.ts";

/** What can be spoken: a file of any format that the browser decodes, or decoded sound. */
export type SpeechAudio = Blob | ArrayBuffer | ArrayBufferView<ArrayBuffer> | AudioBuffer;

/** The rate of speech at the edge, in Hz. */
const SPEECH_RATE = 16_000;
/** More than ten minutes of any usual WAV; decoded it would fill the memory of a phone. */
const MAX_AUDIO_BYTES = 256 * 1024 * 1024;

/**
 * Decodes for playing, at the rate of the context.
 * @throws PlayerError `not_audio`, `audio_too_large`
 */
export async function decodeSpeech(
  context: BaseAudioContext,
  audio: SpeechAudio,
): Promise<AudioBuffer> {
  if (audio instanceof AudioBuffer) return audio;
  const bytes = audio instanceof Blob ? audio.size : audio.byteLength;
  if (bytes > MAX_AUDIO_BYTES) {
    const megabytes = Math.round(bytes / 1024 / 1024);
    throw new PlayerError(
      "audio_too_large",
      `This file has ${megabytes} MB; up to ${MAX_AUDIO_BYTES / 1024 / 1024} MB can be spoken.`,
    );
  }
  try {
    // A copy, because decoding takes the memory away from its owner.
    const copy = await new Blob([audio]).arrayBuffer();
    return await context.decodeAudioData(copy);
  } catch (cause) {
    throw new PlayerError(
      "not_audio",
      bytes === 0
        ? "This file is empty."
        : "This does not seem to be audio. Try a WAV, MP3, M4A, Ogg or FLAC file.",
      { cause },
    );
  }
}

/** The same speech as the edge wants it: WAV, 16-bit, mono, 16 kHz. */
export async function toSpeechWav(buffer: AudioBuffer): Promise<Blob> {
  const length = Math.max(1, Math.round(buffer.duration * SPEECH_RATE));
  const offline = new OfflineAudioContext(1, length, SPEECH_RATE);
  const source = new AudioBufferSourceNode(offline, { buffer });
  source.connect(offline.destination);
  source.start();
  const mono = await offline.startRendering();
  return new Blob([encodeWav(mono.getChannelData(0), SPEECH_RATE)], { type: "audio/wav" });
}
