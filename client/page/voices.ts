import { type EdgeApi, PlayerError } from "../index.ts";
import { ClipVoice } from "./clip-voice.ts";
import { LiveVoice } from "./live-voice.ts";
import { noticeOfFallback } from "./notice.ts";
import type { Voice, VoiceListener } from "./voice.ts";

export interface VoicesOptions {
  readonly canvas: HTMLCanvasElement;
  /** Tells what is shown, for tests and style sheets. */
  readonly data: DOMStringMap;
  readonly api: () => EdgeApi;
  readonly token: () => string | null;
  /** Clips are wanted, not the way out. */
  readonly wantsClips: boolean;
  readonly listener: VoiceListener;
  /** Neither could be had. */
  readonly onError: (error: unknown) => void;
}

/** Opens the page's voice: a live session, or clips where there is none to be had. One at a time. */
export class Voices {
  readonly #options: VoicesOptions;
  #avatarId: string | null = null;
  #opening: Promise<Voice | null> | null = null;
  #voice: Voice | null = null;
  #abort = new AbortController();
  #volume = 1;
  #audioContext: AudioContext | null = null;

  constructor(options: VoicesOptions) {
    this.#options = options;
  }

  get current(): Voice | null {
    return this.#voice;
  }

  set volume(volume: number) {
    this.#volume = volume;
    if (this.#voice) this.#voice.volume = volume;
  }

  /** Shows that avatar, from the beginning. Resolves with null when it could not, or need not any more. */
  async show(avatarId: string): Promise<Voice | null> {
    this.close();
    this.#avatarId = avatarId;
    this.#abort = new AbortController();
    const opening = this.#open(avatarId, this.#abort.signal);
    this.#opening = opening;
    return opening;
  }

  /** What is there, or will be; opened anew where it has ended. */
  async get(): Promise<Voice | null> {
    const { current } = this;
    if (current && current.state !== "ended") return current;
    if (this.#opening && !current) {
      const voice = await this.#opening;
      if (voice) return voice;
    }
    return this.#avatarId === null ? null : this.show(this.#avatarId);
  }

  close(): void {
    this.#abort.abort();
    this.#voice?.close();
    this.#voice = null;
    this.#opening = null;
  }

  async #open(avatarId: string, signal: AbortSignal): Promise<Voice | null> {
    this.#options.listener.onState("loading");
    try {
      const voice = await this.#openEither(avatarId, signal);
      if (signal.aborted) {
        voice.close();
        return null;
      }
      this.#voice = voice;
      voice.volume = this.#volume;
      this.#options.data.voice = voice.kind;
      this.#options.listener.onState(voice.state);
      return voice;
    } catch (error) {
      if (!signal.aborted) this.#options.onError(error);
      return null;
    }
  }

  async #openEither(avatarId: string, signal: AbortSignal): Promise<Voice> {
    const { canvas, data, api, token, wantsClips } = this.#options;
    const listener = untilAborted(this.#options.listener, signal);
    const clips = () =>
      ClipVoice.open({
        avatarId,
        token: token(),
        canvas,
        listener,
        data,
        audioContext: () => {
          this.#audioContext ??= new AudioContext();
          return this.#audioContext;
        },
      });
    if (wantsClips) return clips();
    try {
      return await LiveVoice.open({ api: api(), avatarId, canvas, listener, signal });
    } catch (error) {
      if (signal.aborted || needsToken(error)) throw error;
      const voice = await clips();
      listener.onNotice(noticeOfFallback(error));
      if (!(error instanceof PlayerError)) reportError(error);
      return voice;
    }
  }
}

export function needsToken(error: unknown): boolean {
  return error instanceof PlayerError && error.status === 401;
}

/** Who has been replaced is not heard any more. */
function untilAborted(listener: VoiceListener, signal: AbortSignal): VoiceListener {
  return {
    onState: (state) => signal.aborted || listener.onState(state),
    onNumbers: (numbers) => signal.aborted || listener.onNumbers(numbers),
    onNotice: (notice) => signal.aborted || listener.onNotice(notice),
  };
}
