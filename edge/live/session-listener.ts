import type { FinishReason } from "./speech-events.ts";

/** What happens in a session, for those who speak or look after it. Methods do not throw. */
export interface SessionListener {
  /** The first sound of a segment goes out. */
  started?(segment: number, timestampMs: number): void;
  /** So much of it has been played. */
  position?(segment: number, playedMs: number, timestampMs: number): void;
  /** Exactly once per segment. @param error what failed; null while nothing did */
  finished?(segment: number, playedMs: number, reason: FinishReason, error: unknown): void;
  /** Segments up to this one are void; speech is to be of this epoch from now on. */
  interrupted?(segment: number, epoch: number): void;
  /** So many watch now. */
  viewers?(count: number): void;
  /** A moment of the session has been shown. */
  frame?(timestampMs: number): void;
  /** It will end. */
  ending?(reason: string, inMs: number): void;
  /** It has ended. */
  ended?(reason: string): void;
}
