import type { PlayerError } from "../player-error.ts";
import type { LiveFormat } from "./live-pictures.ts";
import type { SoundCodec } from "./live-sound.ts";

/**
 * - `new`: not started, or ended.
 * - `connecting`: on the way to the first picture.
 * - `listening`: the background goes round.
 * - `speaking`: something is heard.
 * - `reconnecting`: the connection broke; the last picture stays.
 */
export type SessionState = "new" | "connecting" | "listening" | "speaking" | "reconnecting";

/**
 * Why it is over. `stopped`: by `stop`. `replaced`: the same token has joined
 * elsewhere. `refused`: the token is not good. `no_session`: there is none.
 * `lost`: no way back in time. Others are the edge's: `max_duration`,
 * `idle_timeout`, `abandoned`, `deleted`, `unavailable`, `going_away`.
 */
export type DisconnectReason = string;

export interface SessionReady {
  /** Of the session. */
  readonly id: string;
  readonly avatarId: string;
  readonly width: number;
  readonly height: number;
  readonly video: LiveFormat;
  readonly audio: SoundCodec;
}

export interface SpeechStarted {
  readonly segment: number;
}

export interface SpeechEnded {
  readonly segment: number;
  /** `complete`, `interrupted`, `failed` or `ended`. */
  readonly reason: string;
  readonly playedMs: number;
}

/** Once a second. */
export interface SessionStats {
  readonly video: LiveFormat;
  readonly audio: SoundCodec;
  readonly framesPerSecond: number;
  /** Pictures that came and were not drawn, in all. */
  readonly skippedFrames: number;
  /** All that has been received in the last second. */
  readonly bitsPerSecond: number;
  /** From a ping to its answer; null before the first. */
  readonly roundTripMs: number | null;
  /** How far ahead of its time the latest sound or picture came lately; null when nothing has. */
  readonly leadMs: number | null;
  /** The browser lets no sound out before a click or key press. */
  readonly isSoundBlocked: boolean;
}

export interface SessionEventMap {
  readonly state: SessionState;
  /** The first picture is on the screen, again after each break. */
  readonly ready: SessionReady;
  /** The first sound of a segment is heard. */
  readonly speakstart: SpeechStarted;
  readonly speakend: SpeechEnded;
  readonly stats: SessionStats;
  /** Something failed; the session goes on. */
  readonly error: PlayerError;
  readonly disconnected: DisconnectReason;
}

type Listener<Kind extends keyof SessionEventMap> = (detail: SessionEventMap[Kind]) => void;
type Listeners = { [Kind in keyof SessionEventMap]?: Set<Listener<Kind>> };

export class SessionEvents {
  readonly #listeners: Listeners = {};

  on<Kind extends keyof SessionEventMap>(kind: Kind, listener: Listener<Kind>): this {
    this.#of(kind).add(listener);
    return this;
  }

  off<Kind extends keyof SessionEventMap>(kind: Kind, listener: Listener<Kind>): this {
    this.#of(kind).delete(listener);
    return this;
  }

  /** What a listener throws goes to the page's error handlers, and nowhere else. */
  protected emit<Kind extends keyof SessionEventMap>(
    kind: Kind,
    detail: SessionEventMap[Kind],
  ): void {
    for (const listener of [...this.#of(kind)]) {
      try {
        listener(detail);
      } catch (error) {
        reportError(error);
      }
    }
  }

  #of<Kind extends keyof SessionEventMap>(kind: Kind): Set<Listener<Kind>> {
    const listeners: { [K in Kind]?: Set<Listener<K>> } = this.#listeners;
    listeners[kind] ??= new Set();
    return listeners[kind];
  }
}
