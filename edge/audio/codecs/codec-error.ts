/** What is wrong with a call of a codec. Closed. */
export type CodecErrorCode =
  /** An option or the input has a value that the codec does not take. */
  | "bad_input"
  /** It was freed before. */
  | "freed"
  /** The library failed: not the caller's fault. The codec is of no more use. */
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
