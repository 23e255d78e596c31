import { SAMPLE_RATE } from "../../../avatar/speech-timing.ts";

/** A sender is told of more room when there is a second more; earlier when he has little left. */
const STEP_SAMPLES = SAMPLE_RATE;

/**
 * How much speech a connection may send: a total, like QUIC's MAX_DATA (RFC
 * 9000, 4.1), so that what is under way changes nothing.
 */
export class SpeechWindow {
  readonly #room: () => number;
  #received = 0;
  #told = 0;

  /** @param room samples that are taken now */
  constructor(room: () => number) {
    this.#room = room;
  }

  received(samples: number): void {
    this.#received += samples;
  }

  /** Samples that may be sent in all, as it is told first. */
  open(): number {
    this.#told = this.#received + this.#room();
    return this.#told;
  }

  /** The total when it is worth telling; null when not. */
  widen(): number | null {
    const total = this.#received + this.#room();
    const isNarrow = this.#told - this.#received < STEP_SAMPLES;
    const step = isNarrow ? STEP_SAMPLES / 4 : STEP_SAMPLES;
    return total - this.#told < step ? null : this.open();
  }
}
