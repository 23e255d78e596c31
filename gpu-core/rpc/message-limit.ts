import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";

const MEGABYTE = 1024 * 1024;
/** What comes before a message in a stream: a byte of flags and four of length. */
const ENVELOPE_BYTES = 5;
/**
 * Read and thrown away beyond the limit, so that the caller reads why: one whose
 * bytes nobody takes goes on waiting, or sees his stream reset. More is no mistake.
 */
const MAX_DISCARDED_BYTES = 256 * MEGABYTE;

/**
 * A call with one message whose body ends with RESOURCE_EXHAUSTED beyond `maxBytes`.
 * In place of Connect's `readMaxBytes`, which names no setting and stops reading.
 * @param onExceeded called before the call ends so
 */
export function limitMessage(
  call: UniversalServerRequest,
  maxBytes: number,
  onExceeded: () => void,
): UniversalServerRequest {
  const { body, header } = call;
  if (!isByteStream(body)) return call;
  // Connect would allocate what is announced.
  if (Number(header.get("content-length")) > maxBytes) header.delete("content-length");
  return { ...call, body: limited(body, maxBytes, onExceeded) };
}

async function* limited(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  onExceeded: () => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes <= maxBytes + ENVELOPE_BYTES) yield chunk;
    else if (bytes > maxBytes + MAX_DISCARDED_BYTES) break;
  }
  if (bytes <= maxBytes + ENVELOPE_BYTES) return;
  const [has, allowed] = [bytes, maxBytes].map((size) => Math.ceil((10 * size) / MEGABYTE) / 10);
  onExceeded();
  throw new ConnectError(
    `the request has at least ${has} MB, and server.max_message_size_mb allows ${allowed}: ask for fewer frames at a time, or raise it`,
    Code.ResourceExhausted,
  );
}

function isByteStream(
  body: UniversalServerRequest["body"],
): body is AsyncIterable<Uint8Array<ArrayBuffer>> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
