/** Bytes `[start, end)` of an object. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface ReadOptions {
  readonly range?: ByteRange;
  readonly signal?: AbortSignal;
}

/**
 * Where avatars lie: a folder, S3 or R2. Keys are relative and use `/`.
 * Failures other than absence are AvatarError `store_unavailable`.
 */
export interface ObjectStore {
  /** The object or a range of it; null when there is none. */
  read(key: string, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Names directly below the prefix `a/b/`, sorted; folders and objects alike. */
  list(prefix: string, signal?: AbortSignal): Promise<string[]>;
}

/**
 * A version of an avatar that is being written. Nothing is visible to readers
 * before `commit`, and then everything is.
 */
export interface AvatarStaging {
  /** Writes one object of the version, e.g. `model.onnx` or `frames/000000.png`. */
  write(name: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Makes the version readable under its name and points `avatar.json` at it. */
  commit(version: string, pointer: Uint8Array): Promise<void>;
  /** Removes what was written. Safe after `commit`. */
  discard(): Promise<void>;
}
