/**
 * The items of `source` until `signal` aborts, even while the next one is waited for.
 * @throws the signal's reason, or what `source` throws
 */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const items = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const item = await orAbort(items.next(), signal);
      if (item.done) return;
      yield item.value;
    }
  } finally {
    // Not waited for: the one who would answer may be silent, which is why we leave.
    Promise.resolve(items.return?.()).catch(() => {});
  }
}

/** A race that leaves nothing behind on the signal, which outlives many of them. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    const settle = <V>(done: (value: V) => void) => {
      return (value: V) => {
        signal.removeEventListener("abort", onAbort);
        done(value);
      };
    };
    promise.then(settle(resolve), settle(reject));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
