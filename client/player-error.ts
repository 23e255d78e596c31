/**
 * What can go wrong for a caller of the player.
 *
 * - `not_audio`: the browser cannot decode the given bytes as audio.
 * - `audio_too_large`: more bytes than the player takes.
 * - `audio_blocked`: the browser lets no sound out before the user has acted.
 * - `unreachable`: no answer from the edge.
 * - `refused`: the edge answered with an error; `status` and its `detail` are set.
 * - `too_much_audio`: more speech waits than may.
 * - `no_microphone`: the track is none of a microphone, or has ended.
 * - `insecure_page`: browsers have what a live session needs on https and localhost only.
 * - `lost`: the connection broke and could not be had again in time.
 * - `broken_stream`: the answer ended early or is not what the contract says.
 */
export type PlayerErrorCode =
  | "not_audio"
  | "audio_too_large"
  | "audio_blocked"
  | "unreachable"
  | "refused"
  | "too_much_audio"
  | "no_microphone"
  | "insecure_page"
  | "lost"
  | "broken_stream";

/** The one error class of the client. `message` is fit to be shown to a user. */
export class PlayerError extends Error {
  override readonly name = "PlayerError";
  readonly code: PlayerErrorCode;
  /** HTTP status, when the edge refused. */
  readonly status: number | undefined;
  /** The edge's name for the request, for its operator. */
  readonly requestId: string | undefined;

  constructor(
    code: PlayerErrorCode,
    message: string,
    options: { status?: number; requestId?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.requestId = options.requestId;
  }
}

/** True for the rejection of something that was aborted, which is not a failure. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
