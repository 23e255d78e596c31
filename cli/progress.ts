/** How often a plain line is printed where there is no terminal. */
const PLAIN_INTERVAL_MS = 2000;

/** Shows how far long work is: one line that is rewritten, or a line now and then. */
export class Progress {
  readonly #label: string;
  readonly #startedMs = Date.now();
  #lastMs = 0;

  constructor(label: string) {
    this.#label = label;
  }

  update(done: number, total: number): void {
    const nowMs = Date.now();
    const isEnd = done === total;
    const { isTTY } = process.stderr;
    if (!isEnd && nowMs - this.#lastMs < (isTTY ? 100 : PLAIN_INTERVAL_MS)) return;
    this.#lastMs = nowMs;
    const leftS = Math.round((((nowMs - this.#startedMs) / done) * (total - done)) / 1000);
    const estimate = isEnd ? "done" : `${leftS} s left`;
    const line = `${this.#label}: ${done} of ${total}, ${estimate}`;
    process.stderr.write(isTTY ? `\r\x1b[K${line}${isEnd ? "\n" : ""}` : `${line}\n`);
  }
}
