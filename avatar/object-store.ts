/** Bytes `[start, end)` of an object. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface ReadOptions {
  readonly range?: ByteRange;
  readonly signal?: AbortSignal;
  /** What caches on the way hold has proven wrong: read it from the source, and replace it there. */
  readonly isRefresh?: boolean;
}

/**
 * Where avatars lie: a folder, S3 or R2. Keys are relative and use `/`.
 * Failures other than absence are AvatarError `store_unavailable`.
 */
export interface ObjectStore {
  /** The object or a range of it, shorter where the object ends; null when there is none. */
  read(key: string, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Names directly below the prefix `a/b/`, sorted; folders and objects alike. */
  list(prefix: string, signal?: AbortSignal): Promise<string[]>;
}

/** What an object is to hold. It may be larger than memory. */
export interface ObjectContent {
  readonly bytes: number;
  /** SHA-256 of all of it, in hexadecimal. */
  readonly sha256: string;
  /** Bytes `[start, end)`, all of them. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** How far a large object had been written when writing it was cut off. */
export interface UploadState {
  readonly uploadId: string;
  /** Length of every part but the last. */
  readonly partBytes: number;
  /** Per part that has arrived, counted from 1, what the store calls it. */
  readonly parts: Readonly<Record<string, string>>;
}

/** Where the state of one object's upload is kept, so that it can go on in another process. */
export interface UploadJournal {
  read(): Promise<UploadState | null>;
  write(state: UploadState): Promise<void>;
}

export interface WriteOptions {
  /** Null starts anew each time. */
  readonly journal: UploadJournal | null;
  /** Told of every so many bytes that are written, or were written before. */
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A store that can be written. Each object appears whole or not at all. */
export interface WritableStore extends ObjectStore {
  /** Whether the object is there and has this length and hash. */
  holds(key: string, content: ObjectContent, signal?: AbortSignal): Promise<boolean>;
  /**
   * Writes an object and checks by its hash that it has arrived.
   * @throws AvatarError `store_unavailable`
   */
  write(key: string, content: ObjectContent, options: WriteOptions): Promise<void>;
}

/**
 * A version of an avatar that is being written. Nothing is visible to readers
 * before `commit`, and then everything is.
 */
export interface AvatarStaging {
  /** Writes one object of the version, e.g. `model.onnx` or `frames/000000.png`. */
  write(name: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Writes over the start of an object that has been written. */
  overwrite(name: string, start: Uint8Array): Promise<void>;
  /** An object that has been written. */
  read(name: string): AsyncIterable<Uint8Array>;
  /** Makes the version readable under its name and points `avatar.json` at it. */
  commit(version: string, pointer: Uint8Array): Promise<void>;
  /** Removes what was written. Safe after `commit`. */
  discard(): Promise<void>;
}
