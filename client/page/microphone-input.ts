import { Microphone, PlayerError } from "../index.ts";
import { openMicrophone } from "./microphone-access.ts";

export interface MicrophoneInputOptions {
  /** 20 ms of 16 kHz, while it is open. */
  readonly onSound: (piece: Int16Array) => void;
  /** Unplugged, or taken away by the browser. */
  readonly onGone: (error: PlayerError) => void;
}

/**
 * The microphone of the page. It stays open for a while after it was needed, so
 * that the next word is not cut; then the browser's sign for it goes out.
 */
export class MicrophoneInput {
  readonly #options: MicrophoneInputOptions;
  #opening: Promise<void> | null = null;
  #stream: MediaStream | null = null;
  #microphone: Microphone | null = null;
  #rest: ReturnType<typeof setTimeout> | undefined;

  constructor(options: MicrophoneInputOptions) {
    this.#options = options;
  }

  /**
   * Resolves when it hears; calling it again does no harm.
   * @throws PlayerError `no_microphone`, `insecure_page`, `unreachable`
   */
  async open(): Promise<void> {
    clearTimeout(this.#rest);
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.close();
      throw error;
    });
    return this.#opening;
  }

  /** It is not needed now. */
  rest(): void {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.close(), REST_MS);
  }

  close(): void {
    clearTimeout(this.#rest);
    this.#microphone?.close();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#microphone = null;
    this.#stream = null;
    this.#opening = null;
  }

  async #open(): Promise<void> {
    this.#stream = await openMicrophone();
    const [track] = this.#stream.getAudioTracks();
    if (!track) throw new PlayerError("no_microphone", "The microphone gives no sound.");
    this.#microphone = await Microphone.open(track, {
      onSound: this.#options.onSound,
      onEnded: () => {
        this.close();
        const message = "The microphone has gone. Plug it in, then try again.";
        this.#options.onGone(new PlayerError("no_microphone", message));
      },
    });
  }
}

const REST_MS = 30_000;
