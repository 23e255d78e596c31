/** How a segment ended for those who hear it. */
export type FinishReason =
  /** All of it was played. */
  | "complete"
  /** Somebody interrupted, or it was taken back before it began. */
  | "interrupted"
  /** The core could not make its mouths. */
  | "failed"
  /** The session ended. */
  | "ended";

/** What happens to speech, for whoever gave it. Methods do not throw. */
export interface SpeechEvents {
  /** Its first sound goes out. */
  started(segment: number, timestampMs: number): void;
  /** It has been played so far, in milliseconds of the segment. */
  position(segment: number, playedMs: number, timestampMs: number): void;
  /** Exactly once per segment. @param error what failed */
  finished(segment: number, playedMs: number, reason: FinishReason, error: unknown): void;
}
