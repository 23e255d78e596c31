/** One part of a multipart body. */
export interface Part {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const encoder = new TextEncoder();
const LINE_BREAK = encoder.encode("\r\n");

/**
 * A multipart/mixed body (RFC 2046, 5.1), a part per pull: nothing is made
 * that the reader has not asked for.
 *
 * @param toLastPart what to tell the reader when `parts` fails midway; the
 *   status has been sent by then
 */
export function multipartStream(
  parts: AsyncGenerator<Part>,
  boundary: string,
  toLastPart: (error: unknown) => Part,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await parts.next();
          if (!done) {
            enqueuePart(controller, boundary, value);
            return;
          }
        } catch (error) {
          enqueuePart(controller, boundary, toLastPart(error));
        }
        controller.enqueue(encoder.encode(`--${boundary}--\r\n`));
        controller.close();
      },
      async cancel() {
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
  const lines = Object.entries({ ...headers, "Content-Length": String(body.length) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  controller.enqueue(encoder.encode(`--${boundary}\r\n${head}\r\n`));
  controller.enqueue(body);
  controller.enqueue(LINE_BREAK);
}
