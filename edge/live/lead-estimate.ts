import { FRAMES_PER_SECOND } from "../../avatar/speech-timing.ts";

const FRAME_MS = 1000 / FRAMES_PER_SECOND;
/** Until the core has been heard of. */
const FIRST_GUESS_MS = 200;
/** Windows of speech that are remembered: about three seconds. */
const MEMORY = 8;
const MARGIN = 1.25;
const MIN_FRAMES = 2;
const MAX_FRAMES = 25;

/** How far ahead of its time a mouth has to be asked for, by how long the core took lately. */
export class LeadEstimate {
  readonly #latenciesMs: number[] = [];

  /** @param latencyMs from asking to the first mouth */
  observe(latencyMs: number): void {
    this.#latenciesMs.push(latencyMs);
    if (this.#latenciesMs.length > MEMORY) this.#latenciesMs.shift();
  }

  get frames(): number {
    const known = this.#latenciesMs;
    const worst = known.length > 0 ? Math.max(...known) : FIRST_GUESS_MS;
    const frames = Math.ceil((worst * MARGIN) / FRAME_MS) + 1;
    return Math.min(MAX_FRAMES, Math.max(MIN_FRAMES, frames));
  }
}
