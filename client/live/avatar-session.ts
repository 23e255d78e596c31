import type { ServerMessage } from "../../edge/live/socket/server-message.ts";
import type { TokenSource } from "../edge-api.ts";
import { canDecodeH264 } from "../h264-codec.ts";
import { PlayerError } from "../player-error.ts";
import { keepSounding } from "./keep-sounding.ts";
import type { Joined } from "./live-connection.ts";
import { LiveSound, playableCodecs } from "./live-sound.ts";
import { Microphone } from "./microphone.ts";
import { SessionEvents, type SessionReady, type SessionState } from "./session-events.ts";
import { SessionLink } from "./session-link.ts";
import { SessionPlayback } from "./session-playback.ts";
import { SessionStage } from "./session-stage.ts";
import { plainSamples, type SpeechInput, toSpeechSamples } from "./speech-input.ts";
import { SpeechQueue } from "./speech-queue.ts";

export interface AvatarSessionOptions {
  /** Of the session: `urls.socket` of `POST /v1/avatars/{id}/sessions`, made absolute. */
  readonly url: string | URL;
  /** Its `token`, or a function that gets it from your server. */
  readonly token: TokenSource;
  /** Where it is seen: a canvas, a `<video>`, or an element to put a canvas into. */
  readonly element?: HTMLElement;
}

/** What runs between `start` and the end. */
interface Running {
  readonly sound: LiveSound;
  readonly stopCare: () => void;
  readonly playback: SessionPlayback;
  readonly ready: PromiseWithResolvers<SessionReady>;
  link: SessionLink | null;
  joined: Joined | null;
  /** The first picture since the last join has been drawn. */
  hasPicture: boolean;
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
  #running: Running | null = null;
  #microphone: Microphone | null = null;
  #track: MediaStreamTrack | null = null;
  #state: SessionState = "new";
  #isMuted = false;
  /** Of the segment that was heard last. */
  #segment = 0;
  #isSpeaking = false;
  #frameRequest = 0;
  #timers: ReturnType<typeof setInterval>[] = [];
  #askedForKeyMs = -Infinity;
  #receivedBytes = 0;

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
    if (this.#running) return this.#running.ready.promise;
    this.#enter("connecting");
    const running = this.#prepare();
    this.#running = running;
    this.#connect(running).catch((error: unknown) => {
      if (this.#running === running) this.#end("refused", error);
    });
    return running.ready.promise;
  }

  /** Leaves the session. `start` may be called again while the edge remembers it. */
  stop(): void {
    if (this.#running) this.#end("stopped", null);
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
    const context = this.#running?.sound.context ?? new OfflineAudioContext(1, 1, 48_000);
    const samples = await toSpeechSamples(input, context);
    for (let at = 0; at < samples.length; at += PIECE_SAMPLES) {
      await this.#queue.push(samples.subarray(at, at + PIECE_SAMPLES));
    }
  }

  /** What has been sent is complete: its last words need not wait for more. */
  endSpeech(): void {
    this.#queue.end();
  }

  /** Silence, now, whoever speaks. What has not been said is forgotten. */
  interrupt(): void {
    this.#running?.playback.hush();
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
    if (this.#running) this.#running.sound.volume = isMuted ? 0 : 1;
  }

  #prepare(): Running {
    // Before the first `await`, while the browser still counts this as the user's doing.
    const sound = new LiveSound();
    const stopCare = keepSounding(sound.context);
    if (this.#isMuted) sound.volume = 0;
    const ready = Promise.withResolvers<SessionReady>();
    // Who waits for events alone need not wait for this, too.
    ready.promise.catch(() => {});
    const playback = new SessionPlayback({
      sound,
      onGap: () => this.#askForKeyFrame(),
      onVideoError: () => this.#giveVideoUp(),
    });
    return { sound, stopCare, playback, ready, link: null, joined: null, hasPicture: false };
  }

  async #connect(running: Running): Promise<void> {
    const { token } = this.#options;
    const [audio, canVideo, join] = await Promise.all([
      playableCodecs(),
      canDecodeH264(1920, 1080),
      typeof token === "string" ? token : token(),
      running.sound.open(),
    ]);
    if (this.#running !== running) return;
    const offer = { audio, video: canVideo ? ["h264", "jpeg"] : ["jpeg"] };
    running.link = new SessionLink(offer, {
      url: socketUrl(this.#options.url),
      token: join,
      onJoined: (joined) => this.#joined(running, joined),
      onMessage: (message) => this.#told(running, message),
      onMedia: (header, body) => running.playback.receive(header, body),
      onLost: () => this.#lost(running),
      onOver: (reason, message) => this.#end(reason, refusal(reason, message)),
    });
    const refresh = () => {
      this.#frameRequest = requestAnimationFrame(refresh);
      this.#tick(running);
    };
    refresh();
    // A hidden page gets no refreshes, but its video has to be decoded on.
    const hidden = setInterval(() => document.hidden && this.#tick(running), HIDDEN_TICK_MS);
    this.#timers = [hidden, setInterval(() => this.#tellStats(running), STATS_MS)];
  }

  #joined(running: Running, joined: Joined): void {
    running.joined = joined;
    running.hasPicture = false;
    running.playback.begin(joined);
    const socket = {
      speech: (message: Uint8Array<ArrayBuffer>) => running.link?.sendBinary(message),
      endSpeech: (epoch: number) => running.link?.send({ type: "speech_end", epoch }),
      interrupt: () => running.link?.send({ type: "interrupt" }),
    };
    this.#queue.joined(socket, joined.epoch, joined.speechWindow);
  }

  #told({ playback }: Running, message: ServerMessage): void {
    switch (message.type) {
      case "speech_window":
        this.#queue.widen(message.samples);
        break;
      case "playback_started":
        playback.when(message.timestampMs, () => this.#started(message.segment));
        break;
      case "playback_finished": {
        const { segment, reason, playedMs } = message;
        const tell = () => this.#finished(segment, reason, playedMs);
        if (reason === "interrupted") tell();
        else playback.whenSilent(tell);
        if (reason === "failed") this.#complain(message.detail ?? "What was said has failed.");
        break;
      }
      case "interrupted":
        playback.interrupt(message.segment);
        this.#queue.interrupted(message.epoch);
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

  #tick(running: Running): void {
    const picture = running.playback.tick();
    const { joined } = running;
    if (!picture || !joined) return;
    const { width, height, id: avatarId } = joined.avatar;
    this.#stage?.draw(picture.image, width, height);
    if (running.hasPicture) return;
    running.hasPicture = true;
    this.#enter(this.#isSpeaking ? "speaking" : "listening");
    const { session: id, video, audio } = joined;
    const ready = {
      id,
      avatarId,
      width,
      height,
      video: video ?? "jpeg",
      audio: audio?.codec ?? "pcm",
    } as const;
    running.ready.resolve(ready);
    this.emit("ready", ready);
  }

  #lost(running: Running): void {
    this.#queue.lost();
    running.playback.end();
    this.#receivedBytes = 0;
    if (this.#state !== "connecting") this.#enter("reconnecting");
  }

  #askForKeyFrame(): void {
    const nowMs = performance.now();
    // The next position that can be one may be a second away.
    if (nowMs - this.#askedForKeyMs < KEY_FRAME_MS) return;
    this.#askedForKeyMs = nowMs;
    this.#running?.link?.send({ type: "key_frame" });
  }

  /** The decoder has failed: the same as images. */
  async #giveVideoUp(): Promise<void> {
    const { link } = this.#running ?? {};
    link?.offer({ video: ["jpeg"], audio: await playableCodecs() });
  }

  #tellStats({ joined, link, playback, sound }: Running): void {
    if (!joined || !link) return;
    const { receivedBytes, roundTripMs } = link;
    const bytes = Math.max(0, receivedBytes - this.#receivedBytes);
    this.#receivedBytes = receivedBytes;
    this.emit("stats", {
      video: joined.video ?? "jpeg",
      audio: joined.audio?.codec ?? "pcm",
      framesPerSecond: playback.framesPerSecond,
      skippedFrames: playback.skippedFrames,
      bitsPerSecond: (8 * bytes * 1000) / STATS_MS,
      roundTripMs,
      leadMs: playback.leadMs,
      isSoundBlocked: sound.context.state !== "running",
    });
  }

  #end(reason: string, error: unknown): void {
    const running = this.#running;
    if (!running) return;
    this.#running = null;
    running.link?.close();
    running.playback.end();
    running.stopCare();
    void running.sound.close();
    cancelAnimationFrame(this.#frameRequest);
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.#microphone?.close();
    this.#microphone = null;
    this.#queue.reset();
    this.#segment = 0;
    this.#isSpeaking = false;
    this.#enter("new");
    const stopped = new PlayerError("lost", "The session has been stopped.");
    running.ready.reject(error ?? stopped);
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

function refusal(reason: string, message: string | null): PlayerError {
  if (reason === "lost") {
    return new PlayerError("lost", "The connection was lost, and could not be had again in time.");
  }
  return new PlayerError("refused", message ?? `The session is over: ${reason}.`);
}

const HIDDEN_TICK_MS = 200;
const STATS_MS = 1000;
const KEY_FRAME_MS = 1000;
/** A quarter of a second, so that sending is paced. */
const PIECE_SAMPLES = 4000;
/** Two seconds. */
const MOST_MICROPHONE_SAMPLES = 32_000;
