import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { AAC_FRAME_SAMPLES, AAC_PRIMING_SAMPLES, createAacEncoder } from "../audio/aac-encoder.ts";

/** An access unit of AAC on the clock of the speech. */
export interface SpeechPacket {
  readonly data: Uint8Array<ArrayBuffer>;
  /** Of its first sample; the first packet begins before 0, and is not to be heard. */
  readonly timestampS: number;
  /** Shorter for the last one, so that the sound ends where the speech does. */
  readonly durationS: number;
}

/** Packets that may wait to be taken: 30 s, below 400 kB. The speaker's side must not have to wait for the pictures. */
const MAX_WAITING = Math.ceil((30 * SAMPLE_RATE) / AAC_FRAME_SAMPLES);

/** Reads speech as it comes, and codes it. */
export class SpeechPackets {
  /** AudioSpecificConfig. */
  readonly config: Uint8Array<ArrayBuffer>;
  readonly #source: AsyncIterator<Int16Array>;
  readonly #encoder: ReturnType<typeof createAacEncoder>;
  readonly #frame = new Int16Array(AAC_FRAME_SAMPLES);
  readonly #packets: SpeechPacket[] = [];
  #received = 0;
  #coded = 0;
  #over = false;
  #failure: { readonly error: unknown } | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(speech: AsyncIterable<Int16Array>, bitrate: number | undefined) {
    this.#encoder = createAacEncoder(bitrate === undefined ? {} : { bitrate });
    this.config = this.#encoder.config;
    this.#source = speech[Symbol.asyncIterator]();
    // Failures are kept for whoever takes the next packet.
    void this.#read().then(
      () => this.#end(),
      (error) => {
        this.#failure = { error };
        this.#end();
      },
    );
  }

  /**
   * The next packet if it begins before `untilS`, else null; waits for speech.
   * @throws what the speech was ended with, CodecError
   */
  async next(untilS: number): Promise<SpeechPacket | null> {
    for (;;) {
      const [first] = this.#packets;
      if (first) {
        if (first.timestampS >= untilS) return null;
        this.#packets.shift();
        this.#wake();
        return first;
      }
      if (this.#failure) throw this.#failure.error;
      if (this.#over) return null;
      await this.#changed.promise;
    }
  }

  /** Whether all packets were taken, or nobody will. */
  get isOver(): boolean {
    return this.#over && this.#packets.length === 0 && !this.#failure;
  }

  /** Nobody takes any more. Does not wait for the source. */
  stop(): void {
    if (this.#over) return;
    this.#end();
    this.#packets.length = 0;
    void Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  async #read(): Promise<void> {
    for (;;) {
      while (this.#packets.length >= MAX_WAITING && !this.#over) await this.#changed.promise;
      if (this.#over) return;
      const { done, value } = await this.#source.next();
      if (this.#over) return;
      if (done) return this.#finish();
      this.#take(value);
    }
  }

  #take(samples: Int16Array): void {
    for (let at = 0; at < samples.length; ) {
      const filled = this.#received % AAC_FRAME_SAMPLES;
      const part = samples.subarray(at, at + AAC_FRAME_SAMPLES - filled);
      this.#frame.set(part, filled);
      this.#received += part.length;
      at += part.length;
      if (filled + part.length === AAC_FRAME_SAMPLES) this.#put(this.#encoder.encode(this.#frame));
    }
  }

  #finish(): void {
    if (this.#received === 0) return;
    const filled = this.#received % AAC_FRAME_SAMPLES;
    if (filled > 0) this.#put(this.#encoder.encode(this.#frame.fill(0, filled)));
    this.#put(this.#encoder.finish());
  }

  #put(units: readonly Uint8Array<ArrayBuffer>[]): void {
    for (const data of units) {
      const start = this.#coded * AAC_FRAME_SAMPLES - AAC_PRIMING_SAMPLES;
      this.#coded++;
      // Before the end of the speech more is known to come.
      const end = Math.min(start + AAC_FRAME_SAMPLES, this.#received);
      if (end <= start) continue;
      const [timestampS, durationS] = [start / SAMPLE_RATE, (end - start) / SAMPLE_RATE];
      this.#packets.push({ data, timestampS, durationS });
    }
    this.#wake();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#encoder.free();
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
