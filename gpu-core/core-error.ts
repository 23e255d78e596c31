/** Why the core cannot answer. Closed: `rpc/` maps each to a Connect code. */
export type CoreErrorCode =
  /** The request contradicts itself or its tensors have the wrong size. */
  | "invalid_argument"
  /** There is no such model. */
  | "not_found"
  /** The model's files cannot be served: wrong tensors, damaged, not the version asked for. */
  | "failed_precondition"
  /** A queue or the memory is full; trying again later helps. */
  | "resource_exhausted"
  /** A device or model is not there now; trying again or elsewhere helps. */
  | "unavailable"
  /** The device ended while it worked on this; the core itself tries once more elsewhere. */
  | "device_lost"
  /** The caller's deadline passed before the work was done. */
  | "deadline_exceeded"
  /** The caller went away or the core is stopping. */
  | "cancelled"
  /** A defect of ours. */
  | "internal";

/** An error with a message that says what to do; it survives the way between processes. */
export class CoreError extends Error {
  override readonly name = "CoreError";
  readonly code: CoreErrorCode;
  /** When trying again makes sense; null when the core does not know. */
  readonly retryAfterMs: number | null;

  constructor(
    code: CoreErrorCode,
    message: string,
    options?: { cause?: unknown; retryAfterMs?: number },
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs ?? null;
  }
}

/** A CoreError as data, for messages between threads and processes. */
export interface ErrorData {
  readonly code: CoreErrorCode;
  readonly message: string;
}

/** What `error` is to a caller; anything unforeseen is `internal`. */
export function toErrorData(error: unknown): ErrorData {
  if (error instanceof CoreError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message };
}

export function fromErrorData(data: ErrorData): CoreError {
  return new CoreError(data.code, data.message);
}
