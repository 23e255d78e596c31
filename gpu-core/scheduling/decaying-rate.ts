/** A rate that forgets: what was added weighs less the longer it is ago. */
export class DecayingRate {
  readonly #windowMs: number;
  #sum = 0;
  #atMs = 0;

  /** @param windowMs time after which an amount weighs 1/e */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(amount: number, nowMs: number): void {
    this.#decay(nowMs);
    this.#sum += amount;
  }

  /** Amount per millisecond, lately. */
  perMs(nowMs: number): number {
    this.#decay(nowMs);
    return this.#sum / this.#windowMs;
  }

  #decay(nowMs: number): void {
    this.#sum *= Math.exp((this.#atMs - nowMs) / this.#windowMs);
    this.#atMs = nowMs;
  }
}
