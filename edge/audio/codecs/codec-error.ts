/** What is wrong with a call of a codec. Closed. */
export type CodecErrorCode =
  /** An option or the input has a value that the codec does not take. */
  | "bad_input"
  /** It was freed before. */
  | "freed"
  /** The library failed, or has no memory left. After a trap the codec says `freed` from then on. */
  | "library_failed";

/** A codec that does not do as asked. */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly code: CodecErrorCode;

  constructor(code: CodecErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
