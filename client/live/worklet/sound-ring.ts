/** Samples of a session, kept until their time comes. What is not there is silence. */
export class SoundRing {
  readonly #samples: Float32Array;
  /** Of the session's clock, in samples: what is read next. */
  #position = 0;

  /** @param capacity Samples that fit: how far ahead of its time sound may come. */
  constructor(capacity: number) {
    this.#samples = new Float32Array(capacity);
  }

  get position(): number {
    return this.#position;
  }

  /** Goes on at another place; what lies between is forgotten. */
  moveTo(position: number): void {
    const { length } = this.#samples;
    const distance = position - this.#position;
    if (distance < 0 || distance >= length) {
      // Going back makes room at the front: what was furthest ahead does not fit any more.
      this.#forget(distance < 0 ? position : this.#position, Math.min(length, Math.abs(distance)));
    } else {
      this.#forget(this.#position, distance);
    }
    this.#position = position;
  }

  /** @param start Of its first sample. What is late or too far ahead is left out. */
  write(start: number, samples: Float32Array): void {
    const { length } = this.#samples;
    const from = Math.max(start, this.#position);
    const to = Math.min(start + samples.length, this.#position + length);
    for (let at = from; at < to; at++) this.#samples[index(at, length)] = samples[at - start]!;
  }

  read(output: Float32Array): void {
    const { length } = this.#samples;
    for (let n = 0; n < output.length; n++) {
      const at = index(this.#position + n, length);
      output[n] = this.#samples[at]!;
      this.#samples[at] = 0;
    }
    this.#position += output.length;
  }

  /** Forgets all that has been written; over `samples` it falls silent without a click. */
  fade(samples: number): void {
    const { length } = this.#samples;
    for (let n = 0; n < samples; n++) {
      const at = index(this.#position + n, length);
      this.#samples[at] = this.#samples[at]! * (1 - n / samples);
    }
    this.#forget(this.#position + samples, length - samples);
  }

  #forget(start: number, count: number): void {
    const { length } = this.#samples;
    for (let n = 0; n < count; n++) this.#samples[index(start + n, length)] = 0;
  }
}

function index(position: number, length: number): number {
  return ((position % length) + length) % length;
}
