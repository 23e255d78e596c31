import { RequestError } from "./request-error.ts";

/** What a body may cost. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** Longest silence, in milliseconds. */
  readonly idleMs: number;
  /** Longest time for all of it, in milliseconds. */
  readonly totalMs: number;
  /** What who sends more can do; may be left empty. */
  readonly advice: string;
}

/**
 * The chunks of a request body, refused as soon as they are too many or too slow.
 * @throws RequestError 413, at once when `Content-Length` already says so; 408
 */
export function limitBody(request: Request, limits: BodyLimits): AsyncGenerator<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > limits.maxBytes) throw tooLarge(limits);
  return readWithin(request.body, limits);
}

async function* readWithin(
  body: ReadableStream<Uint8Array> | null,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const { maxBytes, idleMs, totalMs } = limits;
  let total = 0;
  const reader = body.getReader();
  const latest = performance.now() + totalMs;
  try {
    for (;;) {
      const leftMs = latest - performance.now();
      const { done, value } = await within(reader.read(), Math.min(idleMs, leftMs));
      if (done) return;
      total += value.length;
      if (total > maxBytes) throw tooLarge(limits);
      yield value;
    }
  } finally {
    // The sender learns from the answer; whether cancelling works changes nothing.
    reader.cancel().catch(() => {});
  }
}

async function within<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooSlow(limitMs)), limitMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function tooLarge({ maxBytes, advice }: BodyLimits): RequestError {
  return new RequestError(413, `the body is larger than ${maxBytes} bytes${advice}`);
}

function tooSlow(limitMs: number): RequestError {
  const waitedS = (Math.max(limitMs, 0) / 1000).toFixed(1);
  return new RequestError(
    408,
    `nothing more of the body came for ${waitedS} s (limits.upload_idle_s), or all of it took too long: send it again, faster`,
  );
}
