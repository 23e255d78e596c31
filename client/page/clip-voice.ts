import { AvatarPlayer, type PlayerState, type SpeechFormat } from "../index.ts";
import { bitRate, milliseconds } from "./format.ts";
import { noticeOfError } from "./notice.ts";
import type { Voice, VoiceListener, VoiceState } from "./voice.ts";

export interface ClipVoiceOptions {
  readonly avatarId: string;
  readonly token: string | null;
  readonly canvas: HTMLCanvasElement;
  readonly listener: VoiceListener;
  /** One for the page: browsers allow few of them. */
  readonly audioContext: () => AudioContext;
  /** Tells what has been drawn. */
  readonly data: DOMStringMap;
}

/** The clip player as the page's voice: a request for each thing it says. */
export class ClipVoice implements Voice {
  readonly kind = "clips";
  readonly #player: AvatarPlayer;
  readonly #listener: VoiceListener;
  readonly #timer: ReturnType<typeof setInterval>;
  #state: VoiceState = "loading";

  private constructor({ avatarId, token, audioContext, ...options }: ClipVoiceOptions) {
    const { canvas, listener, data } = options;
    const player = new AvatarPlayer(canvas, {
      avatarId,
      baseUrl: location.origin,
      audioContext,
      ...(token !== null && { token }),
    });
    this.#player = player;
    this.#listener = listener;
    player.on("statechange", (state) => this.#enter(state));
    player.on("formatchange", ({ format }) => {
      data.format = format;
    });
    player.on("frame", ({ backgroundIndex, position, speech }) => {
      data.background = String(backgroundIndex);
      data.position = String(position);
      data.frame = speech ? String(speech.number) : "";
      data.frameTime = speech ? String(speech.timeMs) : "";
      data.audioTime = speech ? String(Math.round(speech.audioTimeMs)) : "";
      data.skipped = String(player.stats.skippedFrames);
    });
    player.on("error", (error) => listener.onNotice(noticeOfError(error)));
    this.#timer = setInterval(() => this.#count(), NUMBERS_MS);
  }

  /**
   * Resolves when it idles.
   * @throws PlayerError
   */
  static async open(options: ClipVoiceOptions): Promise<ClipVoice> {
    const voice = new ClipVoice(options);
    try {
      await voice.#player.idle();
    } catch (error) {
      voice.close();
      throw error;
    }
    return voice;
  }

  get state(): VoiceState {
    return this.#state;
  }

  get volume(): number {
    return this.#player.volume;
  }

  set volume(volume: number) {
    this.#player.volume = volume;
  }

  async say(audio: Blob): Promise<void> {
    await this.#player.speak(audio);
  }

  hear(): void {}

  endHearing(): void {}

  interrupt(): void {
    this.#player.stop();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#player.dispose();
  }

  #enter(state: PlayerState): void {
    this.#state = state;
    this.#listener.onState(state);
  }

  #count(): void {
    const { avatar, stats } = this.#player;
    this.#listener.onNumbers([
      ["Transport", "HTTP, in clips"],
      ["Format", stats.format === null ? "-" : FORMATS[stats.format]],
      ["Size", avatar ? `${avatar.width} × ${avatar.height}` : "-"],
      ["Bit rate", bitRate(stats.bitsPerSecond)],
      ["Frames", `${Math.round(stats.framesPerSecond)} /s`],
      ["First frame", milliseconds(stats.firstFrameMs)],
      ["Answer after", milliseconds(stats.startMs)],
    ]);
  }
}

const NUMBERS_MS = 1000;
const FORMATS: Readonly<Record<SpeechFormat, string>> = { h264: "H.264", jpeg: "JPEG" };
