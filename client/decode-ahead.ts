import type { PictureDecoder } from "./picture-decoder.ts";

export interface DecodeAheadOptions<Image> {
  /** Makes the picture of frame `key`; the signal aborts when it is no longer wanted. */
  readonly decode: (key: number, signal: AbortSignal) => Promise<Image>;
  /** Gives the memory of a picture back. */
  readonly release: (image: Image) => void;
  /** Milliseconds on a steady clock. */
  readonly now: () => number;
  /** A decode failed for another reason than being dropped. */
  readonly onError?: (error: unknown, key: number) => void;
  /** Decodes under way at once. Default 3. */
  readonly maxPending?: number;
}

/**
 * Keeps the few decoded pictures that will be shown next, and no others: a
 * decoded frame is megabytes where a compressed one is kilobytes.
 */
export class DecodeAhead<Image> implements PictureDecoder<Image> {
  readonly #options: DecodeAheadOptions<Image>;
  readonly #images = new Map<number, Image>();
  readonly #pending = new Map<number, AbortController>();
  readonly #failed = new Set<number>();
  #wanted: readonly number[] = [];
  #latencyMs = 0;

  constructor(options: DecodeAheadOptions<Image>) {
    this.#options = options;
  }

  /** Smoothed time that a decode takes, in milliseconds. */
  get latencyMs(): number {
    return this.#latencyMs;
  }

  /** Decoded pictures held now. */
  get held(): number {
    return this.#images.size;
  }

  /** The frames to have, the most urgent first. What is not named is given back. */
  want(keys: readonly number[]): void {
    this.#wanted = keys;
    const wanted = new Set(keys);
    for (const [key, image] of this.#images) {
      if (wanted.has(key)) continue;
      this.#images.delete(key);
      this.#options.release(image);
    }
    for (const [key, controller] of this.#pending) {
      if (wanted.has(key)) continue;
      this.#pending.delete(key);
      controller.abort();
    }
    for (const key of this.#failed) if (!wanted.has(key)) this.#failed.delete(key);
    this.#pump();
  }

  /** The decoded picture of a wanted frame. It stays the property of this object. */
  get(key: number): Image | undefined {
    return this.#images.get(key);
  }

  /** True when frame `key` has been tried and will not come. */
  hasFailed(key: number): boolean {
    return this.#failed.has(key);
  }

  /** Decodes under way or done: asking for them costs nothing more. */
  isCommitted(key: number): boolean {
    return this.#images.has(key) || this.#pending.has(key);
  }

  /** Tries failed frames once more. */
  retry(): void {
    this.#failed.clear();
    this.#pump();
  }

  /** Gives everything back. */
  clear(): void {
    this.want([]);
  }

  #pump(): void {
    const { maxPending = 3 } = this.#options;
    for (const key of this.#wanted) {
      if (this.#pending.size >= maxPending) return;
      if (!this.isCommitted(key) && !this.#failed.has(key)) void this.#decode(key);
    }
  }

  async #decode(key: number): Promise<void> {
    const controller = new AbortController();
    this.#pending.set(key, controller);
    const startMs = this.#options.now();
    try {
      const image = await this.#options.decode(key, controller.signal);
      const tookMs = this.#options.now() - startMs;
      this.#latencyMs += (tookMs - this.#latencyMs) * LATENCY_WEIGHT;
      if (this.#pending.get(key) !== controller) {
        this.#options.release(image);
        return;
      }
      this.#images.set(key, image);
    } catch (error) {
      if (this.#pending.get(key) !== controller) return;
      this.#failed.add(key);
      this.#options.onError?.(error, key);
    }
    this.#pending.delete(key);
    this.#pump();
  }
}

const LATENCY_WEIGHT = 0.2;
