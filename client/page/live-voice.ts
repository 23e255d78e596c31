import {
  AvatarSession,
  type EdgeApi,
  type SessionReady,
  type SessionState,
  type SessionStats,
} from "../index.ts";
import { bitRate, milliseconds } from "./format.ts";
import { noticeOfEnd, noticeOfEnding, noticeOfError } from "./notice.ts";
import type { Voice, VoiceListener, VoiceState } from "./voice.ts";

export interface LiveVoiceOptions {
  readonly api: EdgeApi;
  readonly avatarId: string;
  readonly canvas: HTMLCanvasElement;
  readonly listener: VoiceListener;
  /** When it is not wanted any more, while it is being opened. */
  readonly signal: AbortSignal;
}

/** A live session as the page's voice. */
export class LiveVoice implements Voice {
  readonly kind = "live";
  readonly #session: AvatarSession;
  readonly #listener: VoiceListener;
  #state: VoiceState = "loading";
  #ready: SessionReady | null = null;
  /** When the first of what is to be said was given; null when it is heard, or nothing was. */
  #askedMs: number | null = null;
  #answerMs: number | null = null;
  #waitingSamples = 0;

  private constructor(session: AvatarSession, listener: VoiceListener) {
    this.#session = session;
    this.#listener = listener;
    session.on("state", (state) => this.#follow(state));
    session.on("ready", (ready) => {
      this.#ready = ready;
    });
    session.on("speakstart", () => {
      if (this.#askedMs !== null) this.#answerMs = performance.now() - this.#askedMs;
      this.#askedMs = null;
    });
    session.on("speakend", () => {
      if (session.state !== "speaking") this.#follow(session.state);
    });
    session.on("stats", (stats) => this.#count(stats));
    session.on("ending", (ending) => listener.onNotice(noticeOfEnding(ending)));
    session.on("error", (error) => {
      this.#askedMs = null;
      this.#follow(session.state);
      listener.onNotice(noticeOfError(error));
    });
  }

  /**
   * Resolves with the first picture.
   * @throws PlayerError
   */
  static async open(options: LiveVoiceOptions): Promise<LiveVoice> {
    const { api, avatarId, canvas, listener, signal } = options;
    const { url, token, webRtc } = await api.openSession(avatarId, signal);
    const session = new AvatarSession({
      url,
      token,
      element: canvas,
      ...(webRtc && { webRtc }),
    });
    const voice = new LiveVoice(session, listener);
    const leave = () => session.stop();
    signal.addEventListener("abort", leave);
    try {
      signal.throwIfAborted();
      await session.start();
    } finally {
      signal.removeEventListener("abort", leave);
    }
    session.on("disconnected", (reason) => {
      voice.#enter("ended");
      if (reason !== "stopped") listener.onNotice(noticeOfEnd(reason));
    });
    return voice;
  }

  get state(): VoiceState {
    return this.#state;
  }

  get volume(): number {
    return this.#session.volume;
  }

  set volume(volume: number) {
    this.#session.volume = volume;
  }

  async say(audio: Blob): Promise<void> {
    this.#session.interrupt();
    this.#ask();
    try {
      await this.#session.sendAudio(audio);
      this.#session.endSpeech();
    } catch (error) {
      this.#askedMs = null;
      this.#follow(this.#session.state);
      throw error;
    }
  }

  hear(samples: Int16Array): void {
    // Without a connection the present is worth more than the past.
    if (this.#waitingSamples > MOST_WAITING_SAMPLES) return;
    if (this.#session.state !== "speaking") this.#ask();
    this.#waitingSamples += samples.length;
    this.#session
      .sendAudio(samples)
      .catch((error: unknown) => this.#listener.onNotice(noticeOfError(error)))
      .finally(() => {
        this.#waitingSamples -= samples.length;
      });
  }

  endHearing(): void {
    this.#session.endSpeech();
  }

  interrupt(): void {
    this.#session.interrupt();
    this.#askedMs = null;
    this.#follow(this.#session.state);
  }

  close(): void {
    this.#session.stop();
  }

  /** Something is on its way to be said. */
  #ask(): void {
    this.#askedMs ??= performance.now();
    this.#follow(this.#session.state);
  }

  #follow(state: SessionState): void {
    const isAsked = state === "listening" && this.#askedMs !== null;
    this.#enter(isAsked ? "waiting" : STATES[state]);
  }

  #enter(state: VoiceState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#listener.onState(state);
  }

  #count(stats: SessionStats): void {
    if (this.#askedMs !== null && performance.now() - this.#askedMs > MOST_WAITING_MS) {
      this.#askedMs = null;
      this.#follow(this.#session.state);
    }
    const size = this.#ready ? `${this.#ready.width} × ${this.#ready.height}` : "-";
    this.#listener.onNumbers([
      ["Transport", stats.transport === "webrtc" ? "WebRTC" : "WebSocket"],
      ["Format", `${FORMATS[stats.video]}, ${FORMATS[stats.audio]}`],
      ["Size", size],
      ["Bit rate", bitRate(stats.bitsPerSecond)],
      ["Frames", `${Math.round(stats.framesPerSecond)} /s`],
      ["Round trip", milliseconds(stats.roundTripMs)],
      ["Answer after", milliseconds(this.#answerMs)],
    ]);
  }
}

const STATES: Readonly<Record<SessionState, VoiceState>> = {
  new: "ended",
  connecting: "loading",
  listening: "idle",
  speaking: "speaking",
  reconnecting: "reconnecting",
};
const FORMATS = { h264: "H.264", jpeg: "JPEG", opus: "Opus", pcm: "PCM" } as const;
/** What has not been heard by then was interrupted by somebody else. */
const MOST_WAITING_MS = 15_000;
/** Two seconds. */
const MOST_WAITING_SAMPLES = 32_000;
