import {
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedVideoPacketSource,
  type IsobmffOutputFormatOptions,
  Mp4OutputFormat,
  Output,
  type Target,
} from "mediabunny";
import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { avcCodec, avcConfiguration } from "./avc.ts";
import type { ParameterSets, PictureSample } from "./picture-samples.ts";
import type { SpeechPacket } from "./speech-packets.ts";

export interface Mp4Tracks extends ParameterSets {
  readonly width: number;
  readonly height: number;
  /** AudioSpecificConfig; null for no sound. */
  readonly audioConfig: Uint8Array | null;
}

/**
 * mediabunny ends fragments at key pictures alone. Ours come seconds apart, and
 * what is played while it is made has to come sooner, so its fragments are ended
 * by hand, as its own HLS writer does: by a method that its types do not show.
 */
interface FragmentedMuxer {
  forceFragmentFinalization(): Promise<void>;
}

/** AAC-LC, RFC 6381. */
const AAC_CODEC = "mp4a.40.2";

/** An MP4 file with a track of H.264 and perhaps one of AAC, by mediabunny. */
export class Mp4Writer {
  readonly #output: Output;
  readonly #video = new EncodedVideoPacketSource("avc");
  readonly #audio: EncodedAudioPacketSource | null;

  private constructor(output: Output, hasAudio: boolean) {
    this.#output = output;
    this.#audio = hasAudio ? new EncodedAudioPacketSource("aac") : null;
  }

  static async open(
    target: Target,
    format: IsobmffOutputFormatOptions,
    tracks: Mp4Tracks,
  ): Promise<Mp4Writer> {
    const output = new Output({ format: new Mp4OutputFormat(format), target });
    const writer = new Mp4Writer(output, tracks.audioConfig !== null);
    output.addVideoTrack(writer.#video, {
      decoderConfig: {
        codec: avcCodec(tracks.sequenceParameters),
        codedWidth: tracks.width,
        codedHeight: tracks.height,
        description: avcConfiguration(tracks.sequenceParameters, tracks.pictureParameters),
        colorSpace: { primaries: "bt709", transfer: "bt709", matrix: "bt709", fullRange: false },
      },
    });
    if (writer.#audio && tracks.audioConfig) {
      output.addAudioTrack(writer.#audio, {
        decoderConfig: {
          codec: AAC_CODEC,
          sampleRate: SAMPLE_RATE,
          numberOfChannels: 1,
          description: tracks.audioConfig,
        },
      });
    }
    await output.start();
    return writer;
  }

  async picture({ data, isKey, timestampS, durationS }: PictureSample): Promise<void> {
    const packet = new EncodedPacket(data, isKey ? "key" : "delta", timestampS, durationS);
    await this.#video.add(packet);
  }

  async sound({ data, timestampS, durationS }: SpeechPacket): Promise<void> {
    await this.#audio?.add(new EncodedPacket(data, "key", timestampS, durationS));
  }

  /** What was put in since the last time becomes a fragment; only in a fragmented file. */
  async endFragment(): Promise<void> {
    const { _muxer: muxer } = this.#output as unknown as { readonly _muxer: FragmentedMuxer };
    await muxer.forceFragmentFinalization();
  }

  async finish(): Promise<void> {
    await this.#output.finalize();
  }

  async cancel(): Promise<void> {
    await this.#output.cancel();
  }
}
