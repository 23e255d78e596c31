/** A prepared frame that is damaged or does not fit. */
export class PreparedFrameError extends Error {
  override readonly name = "PreparedFrameError";

  constructor(why: string) {
    super(`the prepared frame cannot be used: ${why}; publish the avatar again`);
  }
}
