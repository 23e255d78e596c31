/** What is wrong with a picture. Closed: callers map each to their protocol. */
export type ImageErrorCode =
  /** Neither PNG nor JPEG, or a kind of them that cannot be read. */
  | "unsupported_image"
  /** A PNG or JPEG file that is damaged or cut short. */
  | "damaged_image"
  /** More pixels than a frame may have. */
  | "image_too_large";

/** A picture that cannot be read, with a message that says what to do. */
export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
