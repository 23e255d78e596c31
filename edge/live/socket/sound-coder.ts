import type { LiveSound } from "../live-media.ts";
import type { SoundCodec } from "./server-message.ts";

/** Sound as it goes over the wire. */
export interface CodedSound {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly timestampMs: number;
}

/** Codes the sound of one viewer. */
export interface SoundCoder {
  readonly codec: SoundCodec;
  /** What a decoder puts out too much at first, at 48 kHz. */
  readonly preSkip: number;
  encode(sound: LiveSound): CodedSound[];
  /** Gives its memory back. */
  free(): void;
}

/** 16-bit little-endian, as every machine of today has it in memory. */
export const pcmCoder: SoundCoder = {
  codec: "pcm",
  preSkip: 0,
  encode({ samples, timestampMs }) {
    const { buffer, byteOffset, byteLength } = Int16Array.from(samples);
    return [{ bytes: new Uint8Array(buffer, byteOffset, byteLength), timestampMs }];
  },
  free() {},
};
