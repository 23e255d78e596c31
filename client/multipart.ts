import { ByteReader, TOO_LONG } from "./byte-reader.ts";
import { PlayerError } from "./player-error.ts";

/** One body part of a multipart message. */
export interface Part {
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface MultipartLimits {
  /** Largest part body in bytes. Default 32 MiB: a 4K PNG frame fits. */
  readonly maxPartBytes?: number;
  /** Largest header block, and largest preamble, in bytes. Default 16 KiB. */
  readonly maxHeaderBytes?: number;
}

/**
 * The boundary of a `multipart/*` Content-Type (RFC 2046, section 5.1.1), or
 * null when it is none.
 */
export function multipartBoundary(contentType: string | null): string | null {
  if (!contentType || !/^\s*multipart\//i.test(contentType)) return null;
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  return match?.[1] ?? match?.[2] ?? null;
}

/**
 * The parts of a multipart message as they arrive. Every part must carry
 * `Content-Length`, so a body is read without being searched. Leaving the loop
 * early cancels the stream.
 * @throws PlayerError `broken_stream` when the message is malformed, over a
 * limit, or ends before its closing boundary.
 */
export async function* readMultipart(
  stream: ReadableStream<Uint8Array>,
  boundary: string,
  limits: MultipartLimits = {},
): AsyncGenerator<Part, void, void> {
  const { maxPartBytes = 32 * 1024 * 1024, maxHeaderBytes = 16 * 1024 } = limits;
  const reader = new ByteReader(stream);
  const delimiter = `--${boundary}`;
  try {
    let line = await readLine(reader, maxHeaderBytes);
    for (let skipped = 0; !isDelimiter(line, delimiter); ) {
      // The preamble, which receivers ignore.
      skipped += line.length + 2;
      if (skipped > maxHeaderBytes) throw broken("has no first boundary");
      line = await readLine(reader, maxHeaderBytes);
    }
    while (line.trimEnd() !== `${delimiter}--`) {
      const headers = await readHeaders(reader, maxHeaderBytes);
      const length = partLength(headers, maxPartBytes);
      const body = await reader.bytes(length);
      if (!body) throw cutOff();
      yield { headers, body };
      if ((await readLine(reader, 0)) !== "") throw broken("has a part longer than it says");
      line = await readLine(reader, delimiter.length + 64);
      if (!isDelimiter(line, delimiter)) throw broken("has no boundary after a part");
    }
  } finally {
    await reader.cancel();
  }
}

/** A delimiter line may end in white space, and in `--` when it is the last. */
function isDelimiter(line: string, delimiter: string): boolean {
  if (!line.startsWith(delimiter)) return false;
  const rest = line.slice(delimiter.length).trimEnd();
  return rest === "" || rest === "--";
}

async function readHeaders(reader: ByteReader, maxBytes: number): Promise<Headers> {
  const headers = new Headers();
  let left = maxBytes;
  for (;;) {
    const line = await readLine(reader, left);
    if (line === "") return headers;
    left -= line.length + 2;
    const colon = line.indexOf(":");
    try {
      headers.append(line.slice(0, Math.max(0, colon)), line.slice(colon + 1).trim());
    } catch (cause) {
      throw broken("has a malformed header", cause);
    }
  }
}

function partLength(headers: Headers, maxBytes: number): number {
  const value = headers.get("content-length") ?? "";
  if (!/^\d{1,15}$/.test(value)) throw broken("has a part without Content-Length");
  const length = Number(value);
  if (length > maxBytes) throw broken(`has a part of ${length} bytes, over ${maxBytes}`);
  return length;
}

async function readLine(reader: ByteReader, maxBytes: number): Promise<string> {
  // One more than the text, because the limit counts a carriage return too.
  const line = await reader.line(Math.max(0, maxBytes) + 1);
  if (line === null) throw cutOff();
  if (line === TOO_LONG) throw broken("has a line that is too long");
  return line;
}

function cutOff(): PlayerError {
  return new PlayerError(
    "broken_stream",
    "The connection ended before the speech was complete. Try again.",
  );
}

function broken(what: string, cause?: unknown): PlayerError {
  return new PlayerError("broken_stream", `The answer ${what}. Is this a mouthpiece edge?`, {
    cause,
  });
}
