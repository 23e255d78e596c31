/** Until the core has been heard of. */
const FIRST_GUESS_MS = 200;
/** What is longer ago than twice this says little about the core's load now. */
const MEMORY_MS = 1500;
const MARGIN = 1.25;
/** What arrives wavers by so much, on its way to the edge and in its process. */
const MARGIN_MS = 15;
const MAX_MS = 1000;

/** How far ahead of its time a mouth has to be asked for, by how long the core took lately. */
export class LeadEstimate {
  /** Of the present stretch of time, and of the one before it. */
  #worstMs: number | null = null;
  #worstBeforeMs = 0;
  #beganMs = -Infinity;

  /** @param latencyMs from asking to the first mouth, which came at `atMs` */
  observe(latencyMs: number, atMs: number): void {
    const passedMs = atMs - this.#beganMs;
    if (passedMs >= MEMORY_MS) {
      this.#worstBeforeMs = passedMs < 2 * MEMORY_MS ? (this.#worstMs ?? 0) : 0;
      this.#worstMs = latencyMs;
      this.#beganMs = atMs;
    }
    this.#worstMs = Math.max(latencyMs, this.#worstMs ?? 0);
  }

  get ms(): number {
    if (this.#worstMs === null) return FIRST_GUESS_MS;
    const worst = Math.max(this.#worstMs, this.#worstBeforeMs);
    return Math.min(MAX_MS, worst * MARGIN + MARGIN_MS);
  }
}
