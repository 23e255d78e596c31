/** Decodes the frames that are about to be shown. */
export interface PictureDecoder<Picture> {
  /** Smoothed time that a decode takes, in milliseconds. */
  readonly latencyMs: number;
  /**
   * The first frame whose compressed bytes are still needed, shown or not.
   * Left out where frames do not depend on each other.
   */
  readonly neededFrom?: number;
  /**
   * Call it for each screen refresh.
   * @param keys The frames to have, the most urgent first. What is not named is given back.
   * @param newest The last frame that it makes sense to look at now, wanted or too late.
   */
  want(keys: readonly number[], newest: number): void;
  /** The picture of a wanted frame. It stays the property of the decoder. */
  get(key: number): Picture | undefined;
  /** True when frame `key` has been tried and will not come. */
  hasFailed(key: number): boolean;
  /** Being decoded or done: asking for it costs nothing more. */
  isCommitted(key: number): boolean;
  /** Gives everything back. */
  clear(): void;
}
