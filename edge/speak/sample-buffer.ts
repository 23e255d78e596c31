/** The samples of an utterance from some position on. */
export class SampleBuffer {
  #samples = new Int16Array(16_000);
  #start = 0;
  #length = 0;

  /** Position of the first sample that is still here. */
  get start(): number {
    return this.#start;
  }

  /** Position after the last sample. */
  get end(): number {
    return this.#start + this.#length;
  }

  append(samples: Int16Array): void {
    if (this.#length + samples.length > this.#samples.length) {
      const larger = new Int16Array(2 * (this.#length + samples.length));
      larger.set(this.#samples.subarray(0, this.#length));
      this.#samples = larger;
    }
    this.#samples.set(samples, this.#length);
    this.#length += samples.length;
  }

  slice(start: number, end: number): Int16Array<ArrayBuffer> {
    return this.#samples.slice(start - this.#start, end - this.#start);
  }

  forgetBefore(position: number): void {
    const count = position - this.#start;
    if (count <= 0) return;
    this.#samples.copyWithin(0, count, this.#length);
    this.#start += count;
    this.#length -= count;
  }
}
