import type { Notice } from "./notice.ts";

/**
 * - `loading`: nothing is on the screen yet.
 * - `idle`: the background goes round.
 * - `waiting`: it has been given something to say, which is not heard yet.
 * - `speaking`: it is heard.
 * - `reconnecting`: the connection broke, another one is on its way.
 * - `ended`: it is over; `say` and `hear` have no effect.
 */
export type VoiceState = "loading" | "idle" | "waiting" | "speaking" | "reconnecting" | "ended";

/** Names and values, in the order in which they are shown. */
export type Numbers = readonly (readonly [name: string, value: string])[];

/** What a voice tells the page. */
export interface VoiceListener {
  onState(state: VoiceState): void;
  onNumbers(numbers: Numbers): void;
  onNotice(notice: Notice): void;
}

/** An avatar on the page, in one of two ways: a live session, or a clip after the other. */
export interface Voice {
  /** `clips` cannot say things while they are spoken. */
  readonly kind: "live" | "clips";
  readonly state: VoiceState;
  volume: number;
  /**
   * Says a recording; what is being said is interrupted.
   * @throws PlayerError
   */
  say(audio: Blob): Promise<void>;
  /** Says 16 kHz mono as it comes. `live` only. */
  hear(samples: Int16Array): void;
  /** What has been heard is complete. */
  endHearing(): void;
  /** Silence, now. */
  interrupt(): void;
  /** Leaves. The canvas keeps its last picture. */
  close(): void;
}
