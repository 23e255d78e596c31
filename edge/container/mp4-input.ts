/** A coded picture. The `LiveFrame`s of H.264 are such, and what `nextFrame` gives with a time. */
export interface Mp4Picture {
  /** The NAL units of one access unit, each with its start code (ITU-T H.264, annex B). */
  readonly parts: readonly Uint8Array[];
  /** Whether a decoder can begin here. The first must be one, with its parameter sets. */
  readonly isKeyFrame: boolean;
  /**
   * When it is to be shown, and heard what is spoken then; grows from picture to
   * picture. Below 0: pre-roll, which is decoded and not shown. A picture is
   * shown until the next one; the last for `frameMs`.
   */
  readonly timestampMs: number;
}

/** What goes into an MP4. Whoever wrote it reads both at once and to their ends, or calls `return`. */
export interface Mp4Input {
  /** Of the pictures as they are shown, in samples: `track.format` has it. */
  readonly width: number;
  readonly height: number;
  readonly pictures: AsyncIterable<Mp4Picture>;
  /**
   * What is spoken from time 0 on: pieces of any length, 16-bit mono at 16 kHz.
   * Read up to 30 s ahead of the pictures. Null: a film without sound.
   */
  readonly speech: AsyncIterable<Int16Array> | null;
}

export interface Mp4Options {
  /** How long the last picture is shown. Default 40 ms. */
  readonly frameMs?: number;
  /** Bits per second of the sound, 16,000 to 64,000. Default 48,000. */
  readonly audioBitrate?: number;
  /** How long to wait for pictures, or for speech. Default 60,000 ms; 1 to 600,000. */
  readonly stallMs?: number;
}

/** Where a file goes that is not written from front to back: a file handle, for instance. */
export interface Mp4Sink {
  /** Puts bytes at an offset from the beginning, which may be before what was written. */
  write(data: Uint8Array, position: number): Promise<void>;
}

export const DEFAULT_FRAME_MS = 40;
/** Longer than any part of this system waits for another. */
export const DEFAULT_STALL_MS = 60_000;

/** @throws RangeError */
export function checkOptions(options: Mp4Options): Required<Omit<Mp4Options, "audioBitrate">> {
  const { frameMs = DEFAULT_FRAME_MS, stallMs = DEFAULT_STALL_MS } = options;
  if (!(frameMs >= 1 && frameMs <= 1_000)) throw new RangeError(`frameMs of ${frameMs}`);
  if (!(stallMs >= 1 && stallMs <= 600_000)) throw new RangeError(`stallMs of ${stallMs}`);
  return { frameMs, stallMs };
}
