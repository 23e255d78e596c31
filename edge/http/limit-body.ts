import { RequestError } from "./request-error.ts";

/**
 * The chunks of a request body, refused as soon as they are too many.
 * @param advice what who sends more can do
 * @throws RequestError 413, at once when `Content-Length` already says so
 */
export function limitBody(
  request: Request,
  maxBytes: number,
  advice: string,
): AsyncIterable<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes, advice);
  return countBytes(request.body, maxBytes, advice);
}

async function* countBytes(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  advice: string,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  let total = 0;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      total += value.length;
      if (total > maxBytes) throw tooLarge(maxBytes, advice);
      yield value;
    }
  } finally {
    // The sender learns from the answer; whether cancelling works changes nothing.
    reader.cancel().catch(() => {});
  }
}

function tooLarge(maxBytes: number, advice: string): RequestError {
  return new RequestError(413, `the body is larger than ${maxBytes} bytes${advice}`);
}
