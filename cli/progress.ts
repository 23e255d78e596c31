/** How often a plain line is printed where there is no terminal. */
const PLAIN_INTERVAL_MS = 2000;

/** Shows how far long work is: one line that is rewritten, or a line now and then. */
export class Progress {
  readonly #label: string;
  readonly #unit: "frames" | "bytes";
  #startedMs: number | null = null;
  #lastMs = 0;

  /** @param unit of what is counted */
  constructor(label: string, unit: "frames" | "bytes" = "frames") {
    this.#label = label;
    this.#unit = unit;
  }

  /** @param found of those done, how many took no time because they were there */
  update(done: number, total: number, found = 0): void {
    const nowMs = Date.now();
    const isFirst = this.#startedMs === null;
    this.#startedMs ??= nowMs;
    const isEnd = done === total;
    const { isTTY } = process.stderr;
    const interval = isTTY ? 100 : PLAIN_INTERVAL_MS;
    if (!isEnd && !isFirst && nowMs - this.#lastMs < interval) return;
    this.#lastMs = nowMs;
    const of = this.#unit === "bytes" ? formatBytes : String;
    const before = found > 0 ? ` (${of(found)} from before)` : "";
    const left = isEnd ? "done" : this.#estimate(done - found, total - done, nowMs);
    const line = `${this.#label}: ${of(done)} of ${of(total)}${before}, ${left}`;
    process.stderr.write(isTTY ? `\r\x1b[K${line}${isEnd ? "\n" : ""}` : `${line}\n`);
  }

  #estimate(made: number, missing: number, nowMs: number): string {
    const elapsedMs = nowMs - this.#startedMs!;
    // The first one has not been timed: it is what starts the clock.
    if (made <= 1 || elapsedMs === 0) return "...";
    return `${Math.round(((elapsedMs / made) * missing) / 1000)} s left`;
  }
}

/** Bytes for people: 1.5 MB. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 999.95 && unit < units.length - 1; unit++) value /= 1000;
  return `${value.toFixed(1)} ${units[unit]}`;
}
