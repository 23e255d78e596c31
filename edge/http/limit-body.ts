import { within } from "../time-limit.ts";
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

/** So much of what a refused sender still sends is taken before he is answered. */
const DRAIN_BYTES = 4 * 1024 * 1024;
const DRAIN_MS = 500;
const DRAIN_SILENCE_MS = 50;

/**
 * The chunks of a request body, refused as soon as they are too many or too slow.
 * @throws RequestError 413, at once when `Content-Length` already says so; 408
 */
export function limitBody(request: Request, limits: BodyLimits): AsyncGenerator<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > limits.maxBytes) throw tooLarge(limits);
  return limitChunks(chunksOf(request.body), limits);
}

/** The same for what is no request body any more. @throws RequestError 413, 408 */
export async function* limitChunks(
  source: AsyncIterable<Uint8Array>,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array> {
  const { maxBytes, idleMs, totalMs } = limits;
  const chunks = source[Symbol.asyncIterator]();
  const latest = performance.now() + totalMs;
  let total = 0;
  let unread = false;
  try {
    for (;;) {
      const leftMs = Math.max(0, latest - performance.now());
      unread = false;
      const late = leftMs < idleMs ? () => tooLong(totalMs) : () => tooSilent(idleMs);
      const { done, value } = await within(chunks.next(), Math.min(idleMs, leftMs), late);
      if (done) return;
      unread = true;
      total += value.length;
      if (total > maxBytes) throw tooLarge(limits);
      yield value;
    }
  } finally {
    if (unread) await drain(chunks);
    // The sender learns from the answer; whether cancelling works changes nothing.
    chunks.return?.().catch(() => {});
  }
}

/**
 * Takes what is on its way. A server that closes on a sender who still sends
 * resets the connection, and the answer is lost with it (RFC 9112, 9.6).
 */
async function drain(chunks: AsyncIterator<Uint8Array>): Promise<void> {
  const latest = performance.now() + DRAIN_MS;
  let left = DRAIN_BYTES;
  try {
    while (left > 0 && performance.now() < latest) {
      const silent = () => tooSilent(DRAIN_SILENCE_MS);
      const { done, value } = await within(chunks.next(), DRAIN_SILENCE_MS, silent);
      if (done) return;
      left -= value.length;
    }
  } catch {
    // Silent, or gone: there is nothing on its way.
  }
}

/** Ends when it is told to, also in the middle of a read, which a generator would not. */
function chunksOf(body: ReadableStream<Uint8Array> | null): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const reader = body?.getReader();
      return {
        async next() {
          const { done, value } = (await reader?.read()) ?? { done: true };
          return done ? { done: true, value: undefined } : { done: false, value };
        },
        async return() {
          await reader?.cancel();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function tooLarge({ maxBytes, advice }: BodyLimits): RequestError {
  return new RequestError(413, `the body is larger than ${maxBytes} bytes${advice}`);
}

function tooSilent(idleMs: number): RequestError {
  const waited = `nothing more of the body came for ${idleMs / 1000} s (limits.upload_idle_s)`;
  return new RequestError(408, `${waited}: send it again, faster`);
}

function tooLong(totalMs: number): RequestError {
  const took = `the body was not through after ${totalMs / 1000} s`;
  return new RequestError(408, `${took}: send it again, faster`);
}
