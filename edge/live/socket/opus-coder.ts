import { SAMPLE_RATE } from "../../../avatar/speech-timing.ts";
import { createOpusEncoder, OPUS_FRAME_SAMPLES } from "../../audio/opus-encoder.ts";
import type { LiveSound } from "../live-media.ts";
import type { CodedSound, SoundCoder } from "./sound-coder.ts";

const PACKET_MS = (1000 * OPUS_FRAME_SAMPLES) / SAMPLE_RATE;

/**
 * Packets of 20 ms. One coder for all that a viewer hears: where speech pauses
 * its state is that of the last sound, which a decoder has, too.
 * @throws CodecError
 */
export function createOpusCoder(): SoundCoder {
  // TCP loses no packet that a copy could replace.
  const encoder = createOpusEncoder({ fec: false });
  return {
    codec: "opus",
    preSkip: encoder.preSkip,
    encode({ samples, timestampMs }: LiveSound): CodedSound[] {
      const packets: CodedSound[] = [];
      for (let at = 0; at < samples.length; at += OPUS_FRAME_SAMPLES) {
        // The last piece of a segment is filled up with silence.
        const piece = new Int16Array(OPUS_FRAME_SAMPLES);
        piece.set(samples.subarray(at, at + OPUS_FRAME_SAMPLES));
        const n = at / OPUS_FRAME_SAMPLES;
        packets.push({ bytes: encoder.encode(piece), timestampMs: timestampMs + n * PACKET_MS });
      }
      return packets;
    },
    free: () => encoder.free(),
  };
}
