import type { ServerMessage } from "../../edge/live/socket/server-message.ts";
import type { TokenSource } from "../edge-api.ts";
import { canDecodeH264 } from "../h264-codec.ts";
import { PlayerError } from "../player-error.ts";
import type { Picture } from "../stage-canvas.ts";
import { keepSounding } from "./keep-sounding.ts";
import type { Joined } from "./live-connection.ts";
import { LiveSound, playableCodecs } from "./live-sound.ts";
import type { SessionReady, SessionStats } from "./session-events.ts";
import { SessionLink } from "./session-link.ts";
import { SessionPlayback } from "./session-playback.ts";

export interface SessionRunOptions {
  /** ws: or wss: */
  readonly url: URL;
  readonly token: TokenSource;
  readonly onJoined: (joined: Joined) => void;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onPicture: (image: Picture, width: number, height: number) => void;
  /** The first picture since a join has been drawn. */
  readonly onReady: (ready: SessionReady) => void;
  readonly onStats: (stats: SessionStats) => void;
  /** The connection broke; another one is on its way. */
  readonly onLost: () => void;
  /** It has ended by itself. */
  readonly onOver: (reason: string, error: unknown) => void;
}

/** All that runs between the start of a session and its end. */
export class SessionRun {
  readonly sound = new LiveSound();
  readonly playback: SessionPlayback;
  readonly #options: SessionRunOptions;
  readonly #ready = Promise.withResolvers<SessionReady>();
  readonly #stopCare: () => void;
  readonly #limit: ReturnType<typeof setTimeout>;
  #link: SessionLink | null = null;
  #joined: Joined | null = null;
  #hasPicture = false;
  #isOver = false;
  #frameRequest = 0;
  #timers: ReturnType<typeof setInterval>[] = [];
  #askedForKeyMs = -Infinity;
  #countedBytes = 0;

  /** Make it while the browser counts what happens as the user's doing. */
  constructor(options: SessionRunOptions) {
    this.#options = options;
    this.#stopCare = keepSounding(this.sound.context);
    this.playback = new SessionPlayback({
      sound: this.sound,
      onGap: () => this.#askForKeyFrame(),
      onVideoError: () => void this.#giveVideoUp(),
    });
    this.#limit = setTimeout(() => this.#over("lost", refusal("lost", null)), READY_LIMIT_MS);
    // Who waits for events alone need not wait for this, too.
    this.#ready.promise.catch(() => {});
    this.#connect().catch((error: unknown) => this.#over("refused", error));
  }

  /** The first picture. */
  get ready(): Promise<SessionReady> {
    return this.#ready.promise;
  }

  send(message: object): void {
    this.#link?.send(message);
  }

  sendBinary(message: Uint8Array<ArrayBuffer>): void {
    this.#link?.sendBinary(message);
  }

  /** Ends all; `onOver` is not called. */
  close(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#link?.close();
    this.playback.end();
    this.#stopCare();
    void this.sound.close();
    cancelAnimationFrame(this.#frameRequest);
    clearTimeout(this.#limit);
    for (const timer of this.#timers) clearInterval(timer);
    this.#ready.reject(error);
  }

  async #connect(): Promise<void> {
    const { url, token, onMessage } = this.#options;
    const [audio, canVideo, join] = await Promise.all([
      playableCodecs(),
      canDecodeH264(1920, 1080),
      typeof token === "string" ? token : token(),
      this.sound.open(),
    ]);
    if (this.#isOver) return;
    const offer = { audio, video: canVideo ? ["h264", "jpeg"] : ["jpeg"] };
    this.#link = new SessionLink(offer, {
      url,
      token: join,
      onMessage,
      onJoined: (joined) => {
        this.#joined = joined;
        this.#hasPicture = false;
        this.playback.begin(joined);
        this.#options.onJoined(joined);
      },
      onMedia: (header, body) => this.playback.receive(header, body),
      onLost: () => {
        this.playback.end();
        this.#countedBytes = 0;
        this.#options.onLost();
      },
      onOver: (reason, message) => this.#over(reason, refusal(reason, message)),
    });
    const refresh = () => {
      this.#frameRequest = requestAnimationFrame(refresh);
      this.#tick();
    };
    refresh();
    // A hidden page gets no refreshes, but its video has to be decoded on.
    const hidden = setInterval(() => document.hidden && this.#tick(), HIDDEN_TICK_MS);
    this.#timers = [hidden, setInterval(() => this.#tellStats(), STATS_MS)];
  }

  #tick(): void {
    const picture = this.playback.tick();
    const joined = this.#joined;
    if (!picture || !joined) return;
    const { width, height, id: avatarId } = joined.avatar;
    this.#options.onPicture(picture.image, width, height);
    if (this.#hasPicture) return;
    this.#hasPicture = true;
    clearTimeout(this.#limit);
    const ready = { id: joined.session, avatarId, width, height, ...formatsOf(joined) };
    this.#ready.resolve(ready);
    this.#options.onReady(ready);
  }

  #askForKeyFrame(): void {
    const nowMs = performance.now();
    // The next position that can be one may be a second away.
    if (nowMs - this.#askedForKeyMs < KEY_FRAME_MS) return;
    this.#askedForKeyMs = nowMs;
    this.send({ type: "key_frame" });
  }

  /** The decoder has failed: the same as images. */
  async #giveVideoUp(): Promise<void> {
    this.#link?.offer({ video: ["jpeg"], audio: await playableCodecs() });
  }

  #tellStats(): void {
    if (!this.#joined || !this.#link) return;
    const { receivedBytes, roundTripMs } = this.#link;
    const bytes = Math.max(0, receivedBytes - this.#countedBytes);
    this.#countedBytes = receivedBytes;
    this.#options.onStats({
      ...formatsOf(this.#joined),
      framesPerSecond: this.playback.framesPerSecond,
      skippedFrames: this.playback.skippedFrames,
      bitsPerSecond: (8 * bytes * 1000) / STATS_MS,
      roundTripMs,
      leadMs: this.playback.leadMs,
      isSoundBlocked: this.sound.context.state !== "running",
    });
  }

  #over(reason: string, error: unknown): void {
    if (this.#isOver) return;
    this.close(error);
    this.#options.onOver(reason, error);
  }
}

/** A viewer has both. */
function formatsOf({ video, audio }: Joined) {
  return { video: video ?? "jpeg", audio: audio?.codec ?? "pcm" } as const;
}

function refusal(reason: string, message: string | null): PlayerError {
  if (reason === "lost") {
    return new PlayerError("lost", "The connection was lost, and could not be had again in time.");
  }
  return new PlayerError("refused", message ?? `The session is over: ${reason}.`);
}

/** Longer than the ways to a first connection are tried. */
const READY_LIMIT_MS = 45_000;
const HIDDEN_TICK_MS = 200;
const STATS_MS = 1000;
const KEY_FRAME_MS = 1000;
