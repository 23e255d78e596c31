/** A command that cannot go on, with a message for the person who typed it. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** Whether the arguments were wrong rather than the world. */
  readonly isUsage: boolean;

  constructor(message: string, options: { isUsage?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.isUsage = options.isUsage ?? false;
  }
}
