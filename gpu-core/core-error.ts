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

/** Why, where the code alone does not tell. Closed: metrics have it as a label. */
export type FailureReason =
  /** `server.queue_size` requests have the model already, or InferBatch `server.tensor_memory_mb`. */
  | "queue_full"
  /** `server.queue_timeout_s` has passed. */
  | "queue_timeout"
  /** Every model that could leave memory is in use. */
  | "models_in_use"
  /** A device had less memory than was reckoned with. */
  | "out_of_memory"
  /** The model cache or its disk. */
  | "disk_full"
  /** The model's last load failed, and the next attempt is not due yet. */
  | "load_failed"
  /** No device is up. */
  | "no_device"
  /** A device ended under the work. */
  | "device_lost"
  /** The store of the models does not answer. */
  | "store_unavailable"
  /** The core stops. */
  | "draining";

/** An error with a message that says what to do; it survives the way between processes. */
export class CoreError extends Error {
  override readonly name = "CoreError";
  readonly code: CoreErrorCode;
  /** When trying again makes sense; null when the core does not know. */
  readonly retryAfterMs: number | null;
  /** Null where `code` says it all. */
  readonly reason: FailureReason | null;

  constructor(
    code: CoreErrorCode,
    message: string,
    options?: { cause?: unknown; retryAfterMs?: number; reason?: FailureReason },
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs ?? null;
    this.reason = options?.reason ?? (code === "device_lost" ? code : null);
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

/** What a worker has said. Nothing of a worker can be exhausted but its memory. */
export function fromErrorData({ code, message }: ErrorData): CoreError {
  return new CoreError(code, message, {
    ...(code === "resource_exhausted" && { reason: "out_of_memory" }),
  });
}

/** Anything thrown, with a code; what is unforeseen is `internal`. */
export function toCoreError(error: unknown): CoreError {
  if (error instanceof CoreError) return error;
  const { code, message } = toErrorData(error);
  return new CoreError(code, message, { cause: error });
}
