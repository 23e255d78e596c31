/** A compressed frame as a video decoder takes it. */
export interface VideoChunk {
  readonly type: "key" | "delta";
  /** In microseconds; the picture carries the same. */
  readonly timestamp: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** A decoded picture, which holds memory of the graphics card or the decoder until it is closed. */
export interface DecodedPicture {
  readonly timestamp: number;
  close(): void;
}

/** The part of WebCodecs' `VideoDecoder` that is used, so that its order can be tested without one. */
export interface ChunkDecoder {
  configure(config: { readonly codec: string; readonly optimizeForLatency: boolean }): void;
  decode(chunk: VideoChunk): void;
  /** Resolves when all pictures are out. */
  flush(): Promise<void>;
  /** Drops all work; throws when an error has closed it already. */
  close(): void;
}

export interface ChunkDecoderEvents<Picture> {
  readonly output: (picture: Picture) => void;
  /** It has failed and is closed. */
  readonly error: (error: unknown) => void;
}

/** WebCodecs. */
export function openVideoDecoder(events: ChunkDecoderEvents<VideoFrame>): ChunkDecoder {
  const decoder = new VideoDecoder(events);
  return {
    // Without `description` the bytes are a byte stream (WebCodecs AVC registration, annex B).
    configure: (config) => decoder.configure(config),
    decode: (chunk) => decoder.decode(new EncodedVideoChunk(chunk)),
    flush: () => decoder.flush(),
    close: () => decoder.close(),
  };
}
