/** What is wrong with an avatar or its id. Closed: callers map each to their protocol. */
export type AvatarErrorCode =
  /** The id cannot name an avatar. */
  | "invalid_id"
  /** There is no such avatar, version or frame. */
  | "not_found"
  /** A manifest, pack or pointer is damaged or contradicts itself. */
  | "invalid_avatar"
  /** What the store gave is not what was published. It may be better the next time. */
  | "damaged"
  /** A dataset cannot become an avatar. */
  | "invalid_source"
  /** The store did not answer. */
  | "store_unavailable";

/** An error of the avatar format or of its store, with a message that says what to do. */
export class AvatarError extends Error {
  override readonly name = "AvatarError";
  readonly code: AvatarErrorCode;

  constructor(code: AvatarErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
