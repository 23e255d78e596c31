/** One part of a multipart body. */
export interface Part {
  readonly headers: Readonly<Record<string, string>>;
  /** In pieces, which go out one after the other without being joined. */
  readonly body: readonly Uint8Array[];
}

export interface MultipartOptions {
  readonly boundary: string;
  /** What to tell the reader when the parts fail midway: the status has been sent by then. */
  readonly lastPart: (error: unknown) => Part;
  /** The reader has gone; the part under way may be given up. */
  readonly onCancel: () => void;
}

const encoder = new TextEncoder();
const LINE_BREAK = encoder.encode("\r\n");

/**
 * A multipart/mixed body (RFC 2046, 5.1), a part per pull: nothing is made
 * that the reader has not asked for.
 */
export function multipartStream(
  parts: AsyncGenerator<Part>,
  { boundary, lastPart, onCancel }: MultipartOptions,
): ReadableStream<Uint8Array> {
  let cancelled = false;
  const nextPart = async (): Promise<{ part: Part | null; isLast: boolean }> => {
    try {
      const { done, value } = await parts.next();
      return { part: done ? null : value, isLast: done === true };
    } catch (error) {
      return { part: cancelled ? null : lastPart(error), isLast: true };
    }
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { part, isLast } = await nextPart();
        if (cancelled) return;
        if (part) enqueuePart(controller, boundary, part);
        if (!isLast) return;
        controller.enqueue(encoder.encode(`--${boundary}--\r\n`));
        controller.close();
      },
      async cancel() {
        cancelled = true;
        onCancel();
        await parts.return(undefined);
      },
    },
    { highWaterMark: 1 },
  );
}

function enqueuePart(
  controller: ReadableStreamDefaultController<Uint8Array>,
  boundary: string,
  { headers, body }: Part,
): void {
  const length = body.reduce((sum, piece) => sum + piece.length, 0);
  const lines = Object.entries({ ...headers, "Content-Length": String(length) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  controller.enqueue(encoder.encode(`--${boundary}\r\n${head}\r\n`));
  for (const piece of body) if (piece.length > 0) controller.enqueue(piece);
  controller.enqueue(LINE_BREAK);
}
