import { DrawRate } from "./draw-rate.ts";
import { type AvatarInfo, EdgeApi, type SpeechFormat, type TokenSource } from "./edge-api.ts";
import { canDecodeH264 } from "./h264-codec.ts";
import { IdleLoop } from "./idle-loop.ts";
import { LeadEstimate } from "./lead-estimate.ts";
import { PlayerError } from "./player-error.ts";
import {
  type DrawnFrame,
  PlayerEvents,
  type PlayerState,
  type PlayerStats,
} from "./player-events.ts";
import { SoundOutput } from "./sound-output.ts";
import { decodeSpeech, type SpeechAudio, toSpeechWav } from "./speech-audio.ts";
import { StageCanvas } from "./stage-canvas.ts";
import { Utterance } from "./utterance.ts";

export interface AvatarPlayerOptions {
  /** Which avatar: an id of `GET /v1/avatars`. */
  readonly avatarId: string;
  /** For an edge that asks for one: a session token, or a function that gets one from your server. */
  readonly token?: TokenSource;
  /** Where the edge is. Default: where this module came from. */
  readonly baseUrl?: string | URL;
  /** Makes or shares the audio context; called at the first sound. Default: one of its own. */
  readonly audioContext?: () => AudioContext;
}

/** `ended`: spoken to the end. `stopped`: by `stop`, another `speak`, or `dispose`. */
export type SpeechOutcome = "ended" | "stopped";

/** An utterance from `speak` until its outcome. */
interface Speaking {
  readonly askedMs: number;
  readonly settle: PromiseWithResolvers<SpeechOutcome>;
  /** Null until the sound has been decoded. */
  utterance: Utterance | null;
  startMs: number | null;
  /** The picture has gone back to idling; the sound may have a few samples left. */
  pictureOver: boolean;
}

/**
 * An avatar on a canvas: it idles, and speaks what it is given.
 *
 * ```ts
 * const player = new AvatarPlayer(canvas, { avatarId: "demo" });
 * await player.idle();
 * button.onclick = () => player.speak(file);
 * ```
 *
 * The playback position runs on from idling through speech to idling, so the
 * background never jumps. `speak` has to be called from a click or key press
 * the first time: browsers let no sound out before.
 */
export class AvatarPlayer extends PlayerEvents {
  readonly #api: EdgeApi;
  readonly #avatarId: string;
  readonly #stage: StageCanvas;
  readonly #sound: SoundOutput;
  readonly #lead = new LeadEstimate();
  readonly #rate = new DrawRate();
  readonly #abort = new AbortController();
  #avatar: AvatarInfo | null = null;
  #format: SpeechFormat | null = null;
  #loading: Promise<AvatarInfo> | null = null;
  #idle: IdleLoop<ImageBitmap> | null = null;
  #speaking: Speaking | null = null;
  /** The last utterance, for its numbers. */
  #last: Speaking | null = null;
  #state: PlayerState = "loading";
  #position = 0;
  #frameRequest = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(canvas: HTMLCanvasElement, options: AvatarPlayerOptions) {
    super();
    this.#api = new EdgeApi(options.baseUrl ?? new URL("/", import.meta.url), options.token);
    this.#avatarId = options.avatarId;
    this.#stage = new StageCanvas(canvas);
    this.#sound = new SoundOutput(options.audioContext ?? (() => new AudioContext()));
  }

  get state(): PlayerState {
    return this.#state;
  }

  /** The avatar, once it is known. */
  get avatar(): AvatarInfo | null {
    return this.#avatar;
  }

  /** Loudness of what it says, 0..1. */
  get volume(): number {
    return this.#sound.volume;
  }

  set volume(volume: number) {
    this.#sound.volume = volume;
  }

  /** How loud the speech is right now, 0..1, whatever the volume. */
  get level(): number {
    return this.#state === "speaking" ? this.#sound.level : 0;
  }

  /** How far the utterance is, 0..1. */
  get progress(): number {
    const clock = this.#speaking?.utterance?.clock;
    if (!clock?.durationMs) return 0;
    return Math.max(0, Math.min(1, clock.mediaTimeMs(performance.now()) / clock.durationMs));
  }

  get stats(): PlayerStats {
    const { utterance, askedMs, startMs } = this.#speaking ?? this.#last ?? NEVER_SPOKEN;
    const counts = utterance?.player.counts;
    const firstFrameMs = utterance?.firstFrameMs;
    return {
      framesPerSecond: this.#rate.perSecond(performance.now()),
      skippedFrames: counts?.skipped ?? 0,
      drawnFrames: counts?.drawn ?? 0,
      stalls: counts?.stalls ?? 0,
      firstFrameMs: firstFrameMs ? firstFrameMs - askedMs : null,
      startMs: startMs === null ? null : startMs - askedMs,
      format: utterance?.format ?? this.#format,
      bitsPerSecond: utterance?.bitsPerSecond ?? 0,
    };
  }

  /**
   * Loads the avatar and lets its background loop run. Calling it again does no harm.
   * @throws PlayerError when the avatar cannot be had; calling again tries again.
   */
  async idle(): Promise<AvatarInfo> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  /**
   * Speaks. What is being said is interrupted at once.
   * @returns How it came to its end.
   * @throws PlayerError
   */
  async speak(audio: SpeechAudio): Promise<SpeechOutcome> {
    this.#end("stopped");
    const settle = Promise.withResolvers<SpeechOutcome>();
    const speaking: Speaking = {
      askedMs: performance.now(),
      settle,
      utterance: null,
      startMs: null,
      pictureOver: false,
    };
    this.#speaking = speaking;
    this.#enter("waiting");
    this.#prepare(speaking, audio).catch((error: unknown) => {
      if (this.#speaking === speaking) this.#end(error);
    });
    return settle.promise;
  }

  /** Falls silent at once and idles on. */
  stop(): void {
    this.#end("stopped");
  }

  /** Ends everything and gives memory and connections back. The canvas keeps its last picture. */
  dispose(): void {
    this.#end("stopped");
    this.#abort.abort();
    this.#idle?.close();
    this.#sound.close();
    cancelAnimationFrame(this.#frameRequest);
    clearInterval(this.#timer);
  }

  async #load(): Promise<AvatarInfo> {
    const avatar = await this.#api.avatar(this.#avatarId, this.#abort.signal);
    this.#avatar = avatar;
    this.#stage.resize(avatar.width, avatar.height);
    this.#idle = new IdleLoop({
      frameCount: avatar.frameCount,
      fps: avatar.fps,
      load: (index, signal) => this.#api.idleFrame(avatar, index, signal),
      decode: (blob) => createImageBitmap(blob),
      release: (image) => image.close(),
      now: () => performance.now(),
      onError: (error) => this.#reportError(error),
    });
    this.emit("avatar", avatar);
    const hasVideo = avatar.formats?.includes("h264") ?? false;
    const canVideo = hasVideo && (await canDecodeH264(avatar.width, avatar.height));
    this.#choose(canVideo ? "h264" : "jpeg", null);
    const refresh = () => {
      this.#frameRequest = requestAnimationFrame(refresh);
      this.#tick();
    };
    refresh();
    // A hidden page gets no refreshes, but its stream has to be read on and its end be noticed.
    this.#timer = setInterval(() => {
      if (document.hidden) this.#tick();
    }, HIDDEN_TICK_MS);
    return avatar;
  }

  async #prepare(speaking: Speaking, audio: SpeechAudio): Promise<void> {
    // Before the first `await`, while the browser still counts this as the user's doing.
    const running = this.#sound.resume();
    const avatar = await this.idle();
    const sound = await decodeSpeech(this.#sound.context, audio);
    const wav = await toSpeechWav(sound);
    await running;
    if (this.#speaking !== speaking) return;
    const startPosition = this.#position + Math.ceil((this.#lead.ms * avatar.fps) / 1000);
    speaking.utterance = new Utterance({
      api: this.#api,
      avatarId: avatar.id,
      fps: avatar.fps,
      context: this.#sound.context,
      output: this.#sound.input,
      sound,
      wav,
      startPosition,
      format: this.#format ?? "jpeg",
      onVideoError: (error) => this.#choose("jpeg", error),
    });
    this.#idle?.holdAt(startPosition - 1);
  }

  #tick(): void {
    const nowMs = performance.now();
    const idle = this.#idle;
    if (!idle) return;
    if (this.#speaking?.utterance) {
      try {
        if (this.#speak(this.#speaking, this.#speaking.utterance, idle, nowMs)) return;
      } catch (error) {
        this.#end(error);
      }
    }
    const frame = idle.tick(nowMs);
    if (!frame) return;
    this.#stage.draw(frame.image, nowMs);
    if (this.#state === "loading") this.#enter("idle");
    this.#drew({ position: frame.position, backgroundIndex: frame.index, speech: null }, nowMs);
  }

  /** Draws what is due of the speech; false while the picture is the idle loop's. */
  #speak(
    speaking: Speaking,
    utterance: Utterance,
    idle: IdleLoop<ImageBitmap>,
    nowMs: number,
  ): boolean {
    const { player, startPosition } = utterance;
    const hadBegun = player.begun;
    const picture = player.tick(nowMs, idle.dueMs(startPosition));
    if (player.begun && !hadBegun) this.#lead.measured(nowMs - utterance.requestedMs);
    if (picture) {
      const { number, timeMs, backgroundIndex } = picture.frame;
      speaking.startMs ??= nowMs;
      this.#stage.draw(picture.image, nowMs);
      this.#enter("speaking");
      this.#drew(
        {
          position: startPosition + number,
          backgroundIndex,
          speech: { number, timeMs, audioTimeMs: picture.audioTimeMs },
        },
        nowMs,
      );
      idle.rest(this.#position);
    }
    if (player.phase === "buffering" && player.drawn >= 0) this.#enter("waiting");
    const pictureOver = player.phase === "silent" || player.phase === "over";
    if (pictureOver && !speaking.pictureOver) this.#backToIdle(speaking, nowMs);
    if (player.phase === "over") this.#end("ended");
    return player.drawn >= 0 && !pictureOver;
  }

  #backToIdle(speaking: Speaking, nowMs: number): void {
    speaking.pictureOver = true;
    const hasSpoken = (speaking.utterance?.player.drawn ?? -1) >= 0;
    if (!hasSpoken) {
      this.#idle?.holdAt(Infinity);
      return;
    }
    this.#stage.dissolve(nowMs);
    // The frame on the screen has had its time; the next is due now.
    this.#idle?.resumeAfter(this.#position, nowMs - 1000 / (this.#avatar?.fps ?? 25));
  }

  /** Ends the utterance, if there is one, and settles its promise. */
  #end(how: unknown): void {
    const speaking = this.#speaking;
    if (!speaking) return;
    this.#speaking = null;
    this.#last = speaking;
    if (!speaking.pictureOver) this.#backToIdle(speaking, performance.now());
    speaking.utterance?.close();
    this.#enter(this.#idle ? "idle" : "loading");
    if (how === "ended" || how === "stopped") speaking.settle.resolve(how);
    else speaking.settle.reject(how);
  }

  #drew(frame: DrawnFrame, nowMs: number): void {
    this.#position = frame.position;
    this.#rate.drawn(nowMs);
    this.emit("frame", frame);
  }

  #choose(format: SpeechFormat, reason: unknown): void {
    this.#format = format;
    this.emit("formatchange", { format, reason });
  }

  #enter(state: PlayerState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("statechange", state);
  }

  #reportError(error: unknown): void {
    if (error instanceof PlayerError) this.emit("error", error);
  }
}

const HIDDEN_TICK_MS = 200;
const NEVER_SPOKEN = { utterance: null, askedMs: 0, startMs: null };
