import type { ServerMessage } from "../../edge/live/socket/server-message.ts";
import type { TokenSource } from "../edge-api.ts";
import { PlayerError } from "../player-error.ts";
import type { Joined } from "./live-connection.ts";
import { Microphone } from "./microphone.ts";
import { SessionEvents, type SessionReady, type SessionState } from "./session-events.ts";
import { SessionRun } from "./session-run.ts";
import { SessionStage } from "./session-stage.ts";
import { plainSamples, type SpeechInput, toSpeechSamples } from "./speech-input.ts";
import { SpeechQueue } from "./speech-queue.ts";

export interface AvatarSessionOptions {
  /** Of the session: `urls.socket` of `POST /v1/avatars/{id}/sessions`, made absolute. */
  readonly url: string | URL;
  /** Its `token`, or a function that gets it from your server. */
  readonly token: TokenSource;
  /**
   * For WebRTC, where the edge has it: `urls.whep`, made absolute, and `speakerToken`.
   * Without, and where it does not get through, all comes over the WebSocket.
   */
  readonly webRtc?: { readonly url: string | URL; readonly speakerToken: TokenSource };
  /** Where it is seen: a canvas, a `<video>`, or an element to put a canvas into. */
  readonly element?: HTMLElement;
}

/**
 * A live avatar: it is there, listens, and says what it is given while it is given.
 *
 * ```ts
 * const session = new AvatarSession({ url, token, element: canvas });
 * session.on("disconnected", (reason) => ...);
 * button.onclick = async () => {
 *   await session.start();
 *   await session.sendAudio(file);
 *   session.endSpeech();
 * };
 * ```
 */
export class AvatarSession extends SessionEvents {
  readonly #options: AvatarSessionOptions;
  readonly #queue = new SpeechQueue();
  #stage: SessionStage | null = null;
  #run: SessionRun | null = null;
  #microphone: Microphone | null = null;
  #track: MediaStreamTrack | null = null;
  #state: SessionState = "new";
  #isMuted = false;
  #volume = 1;
  /** Of the segment that was heard last. */
  #segment = 0;
  #isSpeaking = false;

  constructor(options: AvatarSessionOptions) {
    super();
    this.#options = options;
    if (options.element) this.attach(options.element);
  }

  get state(): SessionState {
    return this.#state;
  }

  /**
   * Connects. Call it from a click or key press: browsers let no sound out
   * before one. Without, the picture runs, and the sound begins with the next.
   * @returns Resolves with the first picture.
   * @throws PlayerError `insecure_page`, `unreachable`, `refused`, `lost`
   */
  async start(): Promise<SessionReady> {
    if (this.#run) return this.#run.ready;
    this.#enter("connecting");
    const { webRtc } = this.#options;
    const run = new SessionRun({
      url: socketUrl(this.#options.url),
      token: this.#options.token,
      webRtc: webRtc
        ? { url: new URL(webRtc.url, document.baseURI), speakerToken: webRtc.speakerToken }
        : null,
      onJoined: (joined) => this.#joined(run, joined),
      onMessage: (message) => this.#told(run, message),
      onPicture: (image, width, height) => this.#stage?.draw(image, width, height),
      onReady: (ready) => {
        this.#enter(this.#isSpeaking ? "speaking" : "listening");
        this.emit("ready", ready);
      },
      onStats: (stats) => this.emit("stats", stats),
      onLost: () => {
        this.#queue.lost();
        if (this.#state !== "connecting") this.#enter("reconnecting");
      },
      onOver: (reason) => this.#over(reason),
    });
    this.#run = run;
    run.media.volume = this.#loudness;
    return run.ready;
  }

  /** Leaves the session. `start` may be called again while the edge remembers it. */
  stop(): void {
    if (!this.#run) return;
    this.#run.close(new PlayerError("lost", "The session has been stopped."));
    this.#over("stopped");
  }

  /** Shows the session somewhere else. */
  attach(element: HTMLElement): void {
    this.#stage?.close();
    this.#stage = new SessionStage(element);
  }

  /**
   * Says something. Pieces may come as fast as they are there, or as they are spoken;
   * `endSpeech` closes what they make up.
   * @returns Resolves when it has been sent, which paces who has much to say, or
   * when an interruption has made it void.
   * @throws PlayerError `not_audio`, `audio_too_large`, `too_much_audio`
   */
  async sendAudio(input: SpeechInput): Promise<void> {
    const plain = plainSamples(input);
    if (plain) return this.#queue.push(plain);
    const context = this.#run?.sound.context ?? new OfflineAudioContext(1, 1, 48_000);
    const samples = await toSpeechSamples(input, context);
    // What comes after an interruption is something new; the rest of this is not.
    const { voids } = this.#queue;
    for (let at = 0; at < samples.length && voids === this.#queue.voids; at += PIECE_SAMPLES) {
      await this.#queue.push(samples.subarray(at, at + PIECE_SAMPLES));
    }
  }

  /** What has been sent is complete: its last words need not wait for more. */
  endSpeech(): void {
    this.#queue.end();
  }

  /** Silence, now, whoever speaks. What has not been said is forgotten. */
  interrupt(): void {
    this.#run?.media.hush();
    this.#queue.interrupt();
  }

  /**
   * Says what a microphone hears, as it hears it; null: no longer.
   * @throws PlayerError `no_microphone`, `insecure_page`, `unreachable`
   */
  async listenTo(track: MediaStreamTrack | null): Promise<void> {
    const hadMicrophone = this.#microphone !== null;
    this.#microphone?.close();
    this.#microphone = null;
    this.#track = track;
    if (!track) {
      if (hadMicrophone) this.endSpeech();
      return;
    }
    const microphone = await Microphone.open(track, {
      onSound: (samples) => {
        // While there is no connection the present is worth more than the past.
        if (this.#queue.samples > MOST_MICROPHONE_SAMPLES) return;
        this.#queue.push(samples).catch(() => {});
      },
      onEnded: () => {
        this.#microphone = null;
        this.endSpeech();
        this.emit("error", new PlayerError("no_microphone", "The microphone has gone."));
      },
    });
    if (this.#track === track) this.#microphone = microphone;
    else microphone.close();
  }

  /** Lets nothing be heard here; the session goes on. */
  mute(isMuted = true): void {
    this.#isMuted = isMuted;
    this.#applyVolume();
  }

  /** How loud it is here, 0..1. */
  get volume(): number {
    return this.#volume;
  }

  set volume(volume: number) {
    this.#volume = Math.max(0, Math.min(1, volume));
    this.#applyVolume();
  }

  get #loudness(): number {
    return this.#isMuted ? 0 : this.#volume;
  }

  #applyVolume(): void {
    if (this.#run) this.#run.media.volume = this.#loudness;
  }

  #joined(run: SessionRun, joined: Joined): void {
    const socket = {
      speech: (message: Uint8Array<ArrayBuffer>) => run.sendBinary(message),
      endSpeech: (epoch: number) => run.send({ type: "speech_end", epoch }),
      interrupt: () => run.send({ type: "interrupt" }),
    };
    this.#queue.joined(socket, joined.epoch, joined.speechWindow);
  }

  #told({ media }: SessionRun, message: ServerMessage): void {
    switch (message.type) {
      case "speech_window":
        this.#queue.widen(message.samples);
        break;
      case "playback_started":
        media.when(message.timestampMs, () => this.#started(message.segment));
        break;
      case "playback_finished": {
        const { segment, reason, playedMs } = message;
        const tell = () => this.#finished(segment, reason, playedMs);
        if (reason === "interrupted") tell();
        else media.whenSilent(tell);
        if (reason === "failed") this.#complain(message.detail ?? "What was said has failed.");
        break;
      }
      case "interrupted":
        media.interrupt(message.segment);
        this.#queue.interrupted(message.epoch);
        break;
      case "ending":
        this.emit("ending", { reason: message.reason, inMs: message.inMs });
        break;
      case "error":
        this.#complain(message.message);
        break;
    }
  }

  #started(segment: number): void {
    if (segment <= this.#segment) return;
    this.#segment = segment;
    this.#isSpeaking = true;
    this.#enter("speaking");
    this.emit("speakstart", { segment });
  }

  #finished(segment: number, reason: string, playedMs: number): void {
    const wasHeard = segment <= this.#segment;
    this.#segment = Math.max(segment, this.#segment);
    if (!wasHeard) return;
    this.#isSpeaking = segment < this.#segment;
    if (this.#state === "speaking" && !this.#isSpeaking) this.#enter("listening");
    this.emit("speakend", { segment, reason, playedMs });
  }

  #complain(message: string): void {
    this.emit("error", new PlayerError("refused", message));
  }

  #over(reason: string): void {
    this.#run = null;
    this.#microphone?.close();
    this.#microphone = null;
    this.#queue.reset();
    this.#segment = 0;
    this.#isSpeaking = false;
    this.#enter("new");
    this.emit("disconnected", reason);
  }

  #enter(state: SessionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }
}

/** The address of the WebSocket, of that or of the session itself. */
function socketUrl(of: string | URL): URL {
  const url = new URL(of, document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  if (!url.pathname.endsWith("/socket")) url.pathname += "/socket";
  return url;
}

/** A quarter of a second, so that sending is paced. */
const PIECE_SAMPLES = 4000;
/** Two seconds. */
const MOST_MICROPHONE_SAMPLES = 32_000;
