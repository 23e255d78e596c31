/** What is wrong with an utterance. Closed: `http/problem.ts` maps each to a status. */
export type AudioErrorCode =
  | "unsupported_type"
  | "not_wav"
  | "unsupported_encoding"
  | "bad_rate"
  | "bad_header"
  | "truncated"
  | "empty"
  | "not_finite"
  | "too_long";

/** Speech that cannot be used, with a message that says what to do. */
export class AudioError extends Error {
  override readonly name = "AudioError";
  readonly code: AudioErrorCode;

  constructor(code: AudioErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
