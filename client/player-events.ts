import type { AvatarInfo, SpeechFormat } from "./edge-api.ts";
import type { PlayerError } from "./player-error.ts";

/**
 * - `loading`: the avatar is not on the screen yet.
 * - `idle`: the background loop runs.
 * - `waiting`: speech has been asked for, or has run dry.
 * - `speaking`: sound and mouth run together.
 */
export type PlayerState = "loading" | "idle" | "waiting" | "speaking";

/** A frame that has just been drawn. */
export interface DrawnFrame {
  /** Playback position in frames, which runs on through idling and speech. */
  readonly position: number;
  readonly backgroundIndex: number;
  /** The frame's place in the utterance; null while idling. */
  readonly speech: {
    readonly number: number;
    /** When the frame is due, in milliseconds of the sound. */
    readonly timeMs: number;
    /** What was heard when it was drawn, in milliseconds of the sound. */
    readonly audioTimeMs: number;
  } | null;
}

/** Numbers about the playing, of the present or the last utterance where they concern speech. */
export interface PlayerStats {
  /** Frames drawn in the last second. */
  readonly framesPerSecond: number;
  /** Late frames that were left out. */
  readonly skippedFrames: number;
  readonly drawnFrames: number;
  /** Pauses because frames came too slowly. */
  readonly stalls: number;
  /** From `speak` to the first received frame, in milliseconds; null before it. */
  readonly firstFrameMs: number | null;
  /** From `speak` to the first drawn frame of speech, in milliseconds; null before it. */
  readonly startMs: number | null;
  /** How its frames are coded; null before the avatar is known. */
  readonly format: SpeechFormat | null;
  /** Of its frames at their pace, the sound not counted; 0 before the first. */
  readonly bitsPerSecond: number;
}

export interface FormatChange {
  readonly format: SpeechFormat;
  /** Why video was given up; null when the format is chosen for the first time. */
  readonly reason: unknown;
}

/** The events of a player and what their `detail` is. */
export interface PlayerEventMap {
  readonly avatar: CustomEvent<AvatarInfo>;
  readonly statechange: CustomEvent<PlayerState>;
  readonly frame: CustomEvent<DrawnFrame>;
  /** The format of speech has been chosen, or video has been given up. */
  readonly formatchange: CustomEvent<FormatChange>;
  /** Something failed that no caller waits for, such as a background frame. */
  readonly error: CustomEvent<PlayerError>;
}

/** An EventTarget with the events of a player. */
export class PlayerEvents extends EventTarget {
  /** Calls `listener` for each event of a kind until the signal aborts. */
  on<Kind extends keyof PlayerEventMap>(
    kind: Kind,
    listener: (detail: PlayerEventMap[Kind]["detail"]) => void,
    options: { readonly signal?: AbortSignal } = {},
  ): void {
    const handler = (event: Event) => {
      if (event instanceof CustomEvent) listener(event.detail);
    };
    this.addEventListener(kind, handler, options);
  }

  protected emit<Kind extends keyof PlayerEventMap>(
    kind: Kind,
    detail: PlayerEventMap[Kind]["detail"],
  ): void {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
