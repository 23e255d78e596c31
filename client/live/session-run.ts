import type { ServerMessage } from "../../edge/live/socket/server-message.ts";
import type { TokenSource } from "../edge-api.ts";
import { canDecodeH264 } from "../h264-codec.ts";
import { PlayerError } from "../player-error.ts";
import type { Drawable } from "../stage-canvas.ts";
import { keepSounding } from "./keep-sounding.ts";
import type { Joined } from "./live-connection.ts";
import { LiveSound, playableCodecs } from "./live-sound.ts";
import type { SessionReady, SessionStats } from "./session-events.ts";
import { type Offer, SessionLink } from "./session-link.ts";
import type { SessionMedia } from "./session-media.ts";
import { SessionPlayback } from "./session-playback.ts";
import { WhepMedia } from "./whep-media.ts";
import { WhepPeer } from "./whep-peer.ts";

export interface SessionRunOptions {
  /** ws: or wss: */
  readonly url: URL;
  readonly token: TokenSource;
  /** For WebRTC; null: over the WebSocket alone. */
  readonly webRtc: { readonly url: URL; readonly speakerToken: TokenSource } | null;
  readonly onJoined: (joined: Joined) => void;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onPicture: (image: Drawable, width: number, height: number) => void;
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
  readonly #options: SessionRunOptions;
  readonly #ready = Promise.withResolvers<SessionReady>();
  readonly #stopCare: () => void;
  readonly #limit: ReturnType<typeof setTimeout>;
  #media: SessionMedia;
  #link: SessionLink | null = null;
  /** Of who watches. */
  #token = "";
  #offer: Offer = { video: ["jpeg"], audio: ["pcm"] };
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
    this.#media = new SessionPlayback({
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

  get media(): SessionMedia {
    return this.#media;
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
    this.#media.close();
    this.#stopCare();
    void this.sound.close();
    cancelAnimationFrame(this.#frameRequest);
    clearTimeout(this.#limit);
    for (const timer of this.#timers) clearInterval(timer);
    this.#ready.reject(error);
  }

  async #connect(): Promise<void> {
    const { token, webRtc } = this.#options;
    const [audio, canVideo, watching, speaking] = await Promise.all([
      playableCodecs(),
      canDecodeH264(1920, 1080),
      ask(token),
      webRtc && typeof RTCPeerConnection !== "undefined" ? ask(webRtc.speakerToken) : null,
      this.sound.open(),
    ]);
    if (this.#isOver) return;
    this.#token = watching;
    this.#offer = { audio, video: canVideo ? ["h264", "jpeg"] : ["jpeg"] };
    if (!webRtc || speaking === null) this.#watchBySocket();
    else await this.#watchByWebRtc(webRtc.url, speaking).catch(() => this.#watchBySocket());
    if (this.#isOver) return;
    const refresh = () => {
      this.#frameRequest = requestAnimationFrame(refresh);
      this.#tick();
    };
    refresh();
    // A hidden page gets no refreshes, but its video has to be decoded on.
    const hidden = setInterval(() => document.hidden && this.#tick(), HIDDEN_TICK_MS);
    this.#timers = [hidden, setInterval(() => this.#tellStats(), STATS_MS)];
  }

  #watchBySocket(): void {
    if (this.#isOver) return;
    this.#join(this.#token, this.#offer);
  }

  /** Sound and picture by WebRTC, all else over the WebSocket. */
  async #watchByWebRtc(url: URL, speakerToken: string): Promise<void> {
    const bySocket = this.#media;
    const onLost = () => {
      if (this.#isOver || this.#media === bySocket) return;
      this.#media.close();
      bySocket.volume = this.#media.volume;
      this.#media = bySocket;
      this.#watchBySocket();
    };
    const peer = await WhepPeer.connect({ url, token: this.#token, onLost });
    if (this.#isOver) {
      peer.close();
      return;
    }
    this.#media = new WhepMedia(peer, onLost);
    this.#media.volume = bySocket.volume;
    this.#join(speakerToken, { video: [], audio: [] });
  }

  #join(token: string, offer: Offer): void {
    const { url, onMessage } = this.#options;
    if (this.#link) {
      this.#link.close();
      this.#options.onLost();
    }
    this.#link = new SessionLink(offer, {
      url,
      token,
      onMessage,
      onJoined: (joined) => {
        this.#joined = joined;
        this.#hasPicture = false;
        this.#media.begin(joined);
        this.#options.onJoined(joined);
      },
      onMedia: (header, body) => this.#media.receive(header, body),
      onLost: () => {
        this.#media.end();
        this.#countedBytes = 0;
        this.#options.onLost();
      },
      onOver: (reason, message) => this.#over(reason, refusal(reason, message)),
    });
  }

  #tick(): void {
    const picture = this.#media.tick();
    const joined = this.#joined;
    if (!picture || !joined) return;
    const { width, height, id: avatarId } = joined.avatar;
    this.#options.onPicture(picture.image, width, height);
    if (this.#hasPicture) return;
    this.#hasPicture = true;
    clearTimeout(this.#limit);
    const { transport } = this.#media;
    const ready = {
      id: joined.session,
      avatarId,
      width,
      height,
      transport,
      ...formatsOf(transport, joined),
    };
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
    const { transport, framesPerSecond, skippedFrames, leadMs, isSoundBlocked } = this.#media;
    const receivedBytes = this.#link.receivedBytes + this.#media.receivedBytes;
    const bytes = Math.max(0, receivedBytes - this.#countedBytes);
    this.#countedBytes = receivedBytes;
    this.#options.onStats({
      transport,
      ...formatsOf(transport, this.#joined),
      framesPerSecond,
      skippedFrames,
      bitsPerSecond: (8 * bytes * 1000) / STATS_MS,
      roundTripMs: this.#link.roundTripMs,
      leadMs,
      isSoundBlocked,
    });
  }

  #over(reason: string, error: unknown): void {
    if (this.#isOver) return;
    this.close(error);
    this.#options.onOver(reason, error);
  }
}

/** A viewer has both; by WebRTC there is one of each. */
function formatsOf(transport: SessionMedia["transport"], { video, audio }: Joined) {
  if (transport === "webrtc") return { video: "h264", audio: "opus" } as const;
  return { video: video ?? "jpeg", audio: audio?.codec ?? "pcm" } as const;
}

async function ask(token: TokenSource): Promise<string> {
  return typeof token === "string" ? token : token();
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
