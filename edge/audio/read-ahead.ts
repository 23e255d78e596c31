/**
 * Takes a source in as fast as it comes, whatever the pace of the reader: a
 * browser looks at no answer before its upload is through (half duplex, Fetch
 * standard, `RequestInit.duplex`), so an upload that waited for the answer to
 * be read would wait for ever. The source bounds what is held.
 *
 * @param signal ends the wait for a source that has fallen silent
 */
export async function* readAhead<T>(
  source: AsyncGenerator<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const taken: T[] = [];
  let wake = Promise.withResolvers<void>();
  let over = false;
  const pump = async (): Promise<void> => {
    try {
      for await (const item of source) {
        if (over) return;
        taken.push(item);
        wake.resolve();
        wake = Promise.withResolvers();
      }
    } finally {
      over = true;
    }
  };
  const ended = pump();
  // Whoever reads on gets to see it; if nobody does, nobody needs it.
  ended.catch(() => {});
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const item = taken.shift();
      if (item !== undefined) yield item;
      else if (over) return await ended;
      else await Promise.race([wake.promise, ended, aborted.promise]);
    }
  } finally {
    over = true;
    signal.removeEventListener("abort", abort);
  }
}
