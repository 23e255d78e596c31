/** A byte of flags, and the length of what follows, the most significant byte first. */
const HEADER_BYTES = 5;
/** A mouth has 0.1 to 1 MB, and a core sends no more by default. */
const MAX_ENVELOPE_BYTES = 64 * 1024 * 1024;

/**
 * The body of a Connect stream with one chunk per envelope. Runtimes give chunks of
 * a few KB, workerd of 4: of a mouth that would be dozens of buffers to collect.
 */
export function gatherEnvelopes(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader({ mode: "byob" });

  /** Fills the buffer from `at` on, as far as the body goes. */
  async function fill(buffer: ArrayBuffer, at: number): Promise<Uint8Array<ArrayBuffer>> {
    let bytes = new Uint8Array(buffer);
    for (let end = at; end < bytes.length; ) {
      const { length } = bytes;
      const { done, value } = await reader.read(bytes.subarray(end));
      // What is read into moves, also into the last answer; a body that was cancelled keeps it.
      if (!value) return new Uint8Array(0);
      bytes = new Uint8Array(value.buffer, 0, length);
      end += value.length;
      if (done) return bytes.subarray(0, end);
    }
    return bytes;
  }

  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const header = await fill(new ArrayBuffer(HEADER_BYTES), 0);
        // Cut off: whoever reads it says so.
        if (header.length < HEADER_BYTES) {
          if (header.length > 0) controller.enqueue(header);
          return controller.close();
        }
        const length = new DataView(header.buffer).getUint32(1);
        if (length > MAX_ENVELOPE_BYTES) {
          await reader.cancel();
          throw new Error(`a message of ${length} bytes: ${MAX_ENVELOPE_BYTES} are allowed`);
        }
        const envelope = new ArrayBuffer(HEADER_BYTES + length);
        new Uint8Array(envelope).set(header);
        controller.enqueue(await fill(envelope, HEADER_BYTES));
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
