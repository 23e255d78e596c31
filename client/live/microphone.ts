import { PlayerError } from "../player-error.ts";
import { loadWorklets } from "./live-sound.ts";
import { MICROPHONE_PROCESSOR, type MicrophoneSound } from "./worklet/messages.ts";

export interface MicrophoneOptions {
  /** 20 ms of 16 kHz. */
  readonly onSound: (samples: Int16Array) => void;
  /** The track has ended: unplugged, or stopped by the page. */
  readonly onEnded: () => void;
}

/** Hears a track. It has a context of its own: some browsers take tracks at one rate only. */
export class Microphone {
  readonly #track: MediaStreamTrack;
  readonly #context: AudioContext;
  readonly #options: MicrophoneOptions;
  #isClosed = false;

  private constructor(track: MediaStreamTrack, options: MicrophoneOptions) {
    this.#track = track;
    this.#options = options;
    this.#context = new AudioContext({ latencyHint: "interactive" });
    track.addEventListener("ended", this.#ended);
  }

  /** @throws PlayerError `no_microphone`, `insecure_page`, `unreachable` */
  static async open(track: MediaStreamTrack, options: MicrophoneOptions): Promise<Microphone> {
    if (track.kind !== "audio" || track.readyState === "ended") {
      throw new PlayerError("no_microphone", "This track has no sound, or has ended.");
    }
    const microphone = new Microphone(track, options);
    try {
      await microphone.#connect();
    } catch (error) {
      microphone.close();
      throw error;
    }
    return microphone;
  }

  /** The track itself goes on. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#track.removeEventListener("ended", this.#ended);
    void this.#context.close();
  }

  readonly #ended = () => {
    this.close();
    this.#options.onEnded();
  };

  async #connect(): Promise<void> {
    await loadWorklets(this.#context);
    if (this.#isClosed) return;
    const source = this.#context.createMediaStreamSource(new MediaStream([this.#track]));
    const node = new AudioWorkletNode(this.#context, MICROPHONE_PROCESSOR, {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    node.port.onmessage = ({ data }: MessageEvent<MicrophoneSound>) => {
      if (!this.#isClosed) this.#options.onSound(data);
    };
    source.connect(node);
    void this.#context.resume();
  }
}
