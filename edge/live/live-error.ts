/** What went wrong in a session. Closed: `docs/live-protocol.md` says what each means. */
export type LiveErrorCode =
  /** The session is over. */
  | "ended"
  /** No session of that id is here. */
  | "no_session"
  /** There are as many sessions or viewers as there may be. */
  | "too_many"
  /** More speech than may wait. */
  | "too_much_speech"
  /** Speech that was sent before an interruption arrived. */
  | "old_epoch"
  /** The avatar cannot be sent in any of the forms that were offered. */
  | "no_format"
  /** A message that cannot be understood. */
  | "bad_message"
  /** The token does not allow it, or is not good. */
  | "refused"
  /** The core could not make mouths, or the store gave no background. */
  | "unavailable";

/** A session could not do what it was asked. */
export class LiveError extends Error {
  override readonly name = "LiveError";
  readonly code: LiveErrorCode;
  /** Seconds after which trying again makes sense. */
  readonly retryAfterS: number | undefined;

  constructor(code: LiveErrorCode, message: string, retryAfterS?: number) {
    super(message);
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}
