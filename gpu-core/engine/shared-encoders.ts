import { AudioEncoder } from "../model/audio-encoder.ts";
import type { SessionOptions } from "../model/session.ts";

interface SharedEncoder {
  readonly encoder: AudioEncoder;
  users: number;
}

/** The audio encoders of one worker thread: one session per file, however many models have it. */
export class SharedEncoders {
  readonly #options: SessionOptions;
  readonly #encoders = new Map<string, SharedEncoder>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** @param hash of the file's content */
  async acquire(hash: string, path: string): Promise<AudioEncoder> {
    const shared = this.#encoders.get(hash) ?? {
      encoder: await AudioEncoder.load(path, this.#options),
      users: 0,
    };
    shared.users++;
    this.#encoders.set(hash, shared);
    return shared.encoder;
  }

  async release(hash: string): Promise<void> {
    const shared = this.#encoders.get(hash);
    if (!shared || --shared.users > 0) return;
    this.#encoders.delete(hash);
    await shared.encoder.release();
  }
}
