/** One source and two readers of it. */
export interface Tapped<T> {
  /** Reads the source. Whoever has it sets the pace, and must read on or return. */
  readonly main: AsyncGenerator<T>;
  /**
   * What `main` has been given, ending as it does. Holds what was not read yet,
   * so it has to be read at about the same pace, or be returned.
   */
  readonly copy: AsyncGenerator<T>;
}

/** Lets somebody else have what a reader takes from a source. */
export function tap<T>(source: AsyncIterable<T>): Tapped<T> {
  const taken: T[] = [];
  let wake = Promise.withResolvers<void>();
  let state: "open" | "over" | "failed" = "open";
  let failure: unknown;
  let isRead = true;
  const tell = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };

  async function* main(): AsyncGenerator<T> {
    try {
      for await (const item of source) {
        if (isRead) taken.push(item);
        tell();
        yield item;
      }
    } catch (error) {
      state = "failed";
      failure = error;
      throw error;
    } finally {
      if (state === "open") state = "over";
      tell();
    }
  }

  async function* copy(): AsyncGenerator<T> {
    try {
      for (;;) {
        const item = taken.shift();
        if (item !== undefined) yield item;
        else if (state === "failed") throw failure;
        else if (state === "over") return;
        else await wake.promise;
      }
    } finally {
      isRead = false;
      taken.length = 0;
    }
  }

  return { main: main(), copy: copy() };
}
