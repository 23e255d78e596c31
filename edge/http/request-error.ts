/** A request that is refused before it costs anything, with the status that says why. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: 400 | 401 | 403 | 404 | 405 | 406 | 408 | 413 | 415 | 429;
  /** Seconds after which trying again makes sense. */
  readonly retryAfterS: number | undefined;

  constructor(status: RequestError["status"], message: string, retryAfterS?: number) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}
