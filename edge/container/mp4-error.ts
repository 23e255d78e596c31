/** Why an MP4 cannot be written. Closed. */
export type Mp4ErrorCode =
  /** The first picture is no key picture, or one holds no slice or no parameter sets where it must. */
  | "bad_picture"
  /** Times do not grow, or the pre-roll is too long. */
  | "bad_time"
  /** Another size or profile: a file has one set of parameters. */
  | "format_changed"
  /** There is nothing to show: no picture at or after 0. */
  | "empty"
  /** Neither pictures nor speech came for `stallMs`. */
  | "stalled";

export class Mp4Error extends Error {
  override readonly name = "Mp4Error";
  readonly code: Mp4ErrorCode;

  constructor(code: Mp4ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
