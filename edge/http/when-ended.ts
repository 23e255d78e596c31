/** `Error` when the body broke, "cancelled" when the reader left. */
export type BodyOutcome = "complete" | "cancelled" | Error;

/**
 * The same body, and a promise that it has ended. Chunks pass through as they
 * are and only when they are asked for.
 * @param onEnd called once, before the promise is kept
 */
export function whenEnded(
  body: ReadableStream<Uint8Array>,
  onEnd: (outcome: BodyOutcome) => void,
): [ReadableStream<Uint8Array>, Promise<void>] {
  const reader = body.getReader();
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (outcome: BodyOutcome) => {
    onEnd(outcome);
    resolve();
  };
  const watched = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          controller.close();
          end("complete");
        } catch (error) {
          controller.error(error);
          end(error instanceof Error ? error : new Error(String(error)));
        }
      },
      async cancel(reason) {
        end("cancelled");
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return [watched, promise];
}
