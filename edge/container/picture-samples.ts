import { type AvcSample, avcSample } from "./avc.ts";
import type { BoundedWait } from "./bounded-wait.ts";
import { Mp4Error } from "./mp4-error.ts";
import type { Mp4Picture } from "./mp4-input.ts";

/** A picture on the clock of the film. */
export interface PictureSample {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly isKey: boolean;
  /** Below 0 in the pre-roll. */
  readonly timestampS: number;
  readonly durationS: number;
}

export interface ParameterSets {
  readonly sequenceParameters: Uint8Array;
  readonly pictureParameters: Uint8Array;
}

/** A group of pictures is not longer, so no pre-roll is. */
const MAX_PRE_ROLL = 256;
/**
 * Edit lists cut the pre-roll away. But in fragmented files ffmpeg, and Chromium
 * with it, heed them only by moving what is cut before 0. So its pictures last
 * next to nothing, four ticks of the track (ffmpeg takes steps that grow a
 * thousandfold for a gap), and end well before 0: what is over before the start
 * by more than a picture lasts, Chromium does not show. The sound's priming
 * begins 64 ms before 0 anyway.
 */
const PRE_ROLL_PICTURE_S = 4 / 57_600;
const PRE_ROLL_START_S = -0.06;

type Pending = Omit<PictureSample, "durationS">;

/** Reads pictures as they are asked for, and makes samples of them. */
export class PictureSamples {
  readonly #source: AsyncIterator<Mp4Picture>;
  readonly #wait: BoundedWait;
  readonly #frameS: number;
  /** Read and not given out: the pre-roll, and the picture whose duration the next one tells. */
  #pending: Pending[] = [];
  #sets: ParameterSets | null = null;
  #lastMs = Number.NEGATIVE_INFINITY;
  #isEnded = false;

  constructor(pictures: AsyncIterable<Mp4Picture>, wait: BoundedWait, frameS: number) {
    this.#source = pictures[Symbol.asyncIterator]();
    this.#wait = wait;
    this.#frameS = frameS;
  }

  get isOver(): boolean {
    return this.#isEnded && this.#pending.length === 0;
  }

  /** Reads up to the first picture that is shown. To be called first. @throws Mp4Error */
  async begin(): Promise<ParameterSets> {
    const preRoll: Pending[] = [];
    for (;;) {
      const sample = await this.#read();
      if (!sample) throw new Mp4Error("empty", "no picture at 0 or later");
      if (sample.timestampS >= 0) {
        this.#pending = preRoll.map((each, n) => ({
          ...each,
          timestampS: PRE_ROLL_START_S + n * PRE_ROLL_PICTURE_S,
        }));
        this.#pending.push(sample);
        return this.#sets!;
      }
      if (preRoll.length === MAX_PRE_ROLL) {
        throw new Mp4Error("bad_time", `more than ${MAX_PRE_ROLL} pictures before 0`);
      }
      preRoll.push(sample);
    }
  }

  /** The next sample if it begins before `untilS`, else null. @throws Mp4Error */
  async next(untilS: number): Promise<PictureSample | null> {
    const [sample] = this.#pending;
    if (!sample || sample.timestampS >= untilS) return null;
    if (this.#pending.length === 1 && !this.#isEnded) {
      const following = await this.#read();
      if (following) this.#pending.push(following);
    }
    this.#pending.shift();
    if (sample.timestampS < 0) return { ...sample, durationS: PRE_ROLL_PICTURE_S };
    const endS = this.#pending[0]?.timestampS ?? sample.timestampS + this.#frameS;
    return { ...sample, durationS: endS - sample.timestampS };
  }

  /** Does not wait for the source. */
  stop(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    void Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  async #read(): Promise<Pending | null> {
    const { done, value } = await this.#wait.for(this.#source.next(), "picture");
    if (done) {
      this.#isEnded = true;
      return null;
    }
    const { parts, isKeyFrame, timestampMs } = value;
    if (!(timestampMs > this.#lastMs && timestampMs < Number.POSITIVE_INFINITY)) {
      throw new Mp4Error("bad_time", `a picture at ${timestampMs} ms after one at ${this.#lastMs}`);
    }
    this.#lastMs = timestampMs;
    const sample = avcSample(parts);
    this.#checkSets(sample, isKeyFrame);
    return { data: sample.data, isKey: isKeyFrame, timestampS: timestampMs / 1_000 };
  }

  #checkSets({ sequenceParameters, pictureParameters }: AvcSample, isKeyFrame: boolean): void {
    if (!this.#sets) {
      if (!isKeyFrame || !sequenceParameters || !pictureParameters) {
        throw new Mp4Error("bad_picture", "the first is no key picture with its parameter sets");
      }
      this.#sets = { sequenceParameters, pictureParameters };
      return;
    }
    const isSame = (a: Uint8Array, b: Uint8Array | null) =>
      !b || (a.length === b.length && a.every((byte, n) => byte === b[n]));
    if (
      !isSame(this.#sets.sequenceParameters, sequenceParameters) ||
      !isSame(this.#sets.pictureParameters, pictureParameters)
    ) {
      throw new Mp4Error("format_changed", "parameter sets unlike those of the first picture");
    }
  }
}
