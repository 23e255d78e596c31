export interface FrameCacheOptions {
  /** Fetches the compressed frame `index`. */
  readonly load: (index: number, signal: AbortSignal) => Promise<Blob>;
  /** Bytes kept. Default 48 MiB: some 600 JPEG frames of 1280x720. */
  readonly maxBytes?: number;
  /** Fetches that `prefetch` may have under way. Default 4, of a browser's 6 connections. */
  readonly maxPrefetch?: number;
}

/** Compressed idle frames, bounded in bytes; the least recently used leave first. */
export class FrameCache {
  readonly #options: Required<FrameCacheOptions>;
  readonly #blobs = new Map<number, Blob>();
  readonly #loading = new Map<number, Promise<Blob>>();
  readonly #abort = new AbortController();
  #bytes = 0;

  constructor(options: FrameCacheOptions) {
    this.#options = { maxBytes: 48 * 1024 * 1024, maxPrefetch: 4, ...options };
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The frame, fetched when it is not here. Rejects as `load` does; the next call tries again. */
  get(index: number): Promise<Blob> {
    const blob = this.#blobs.get(index);
    if (blob) {
      this.#blobs.delete(index);
      this.#blobs.set(index, blob);
      return Promise.resolve(blob);
    }
    let loading = this.#loading.get(index);
    if (!loading) {
      loading = this.#load(index);
      this.#loading.set(index, loading);
    }
    return loading;
  }

  /** Begins to fetch what is missing, as far as the limit allows. Errors show in `get`. */
  prefetch(indices: Iterable<number>): void {
    for (const index of indices) {
      if (this.#loading.size >= this.#options.maxPrefetch) return;
      if (!this.#blobs.has(index)) this.get(index).catch(() => {});
    }
  }

  /** Ends all fetches and forgets all frames. */
  close(): void {
    this.#abort.abort();
    this.#blobs.clear();
    this.#bytes = 0;
  }

  async #load(index: number): Promise<Blob> {
    try {
      const blob = await this.#options.load(index, this.#abort.signal);
      this.#keep(index, blob);
      return blob;
    } finally {
      this.#loading.delete(index);
    }
  }

  #keep(index: number, blob: Blob): void {
    if (this.#abort.signal.aborted) return;
    this.#blobs.set(index, blob);
    this.#bytes += blob.size;
    for (const [oldest, old] of this.#blobs) {
      if (this.#bytes <= this.#options.maxBytes || oldest === index) return;
      this.#blobs.delete(oldest);
      this.#bytes -= old.size;
    }
  }
}
