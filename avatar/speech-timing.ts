/**
 * The numbers of the field: which speech samples, mel rows and features a
 * video frame depends on. As SyncTalk_2D's audio front end defines them; edge
 * and core share this file, so that the window the one sends is the window the
 * other needs.
 */

export const SAMPLE_RATE = 16_000;
export const FRAMES_PER_SECOND = 25;
export const SAMPLES_PER_FRAME = SAMPLE_RATE / FRAMES_PER_SECOND;

export const MEL_BANDS = 80;
export const MEL_HOP_SAMPLES = 200;
export const MEL_WINDOW_SAMPLES = 800;
/** Mel rows that one encoder window holds. */
export const ENCODER_ROWS = 16;
/** Values that the encoder makes of one window. */
export const FEATURE_SIZE = 512;
/** Feature rows that the U-Net sees per frame: `frame - 8 .. frame + 7`. */
export const FEATURE_ROWS_PER_FRAME = 16;
export const FEATURE_ROWS_BEFORE = 8;

const MEL_ROWS_PER_SECOND = SAMPLE_RATE / MEL_HOP_SAMPLES;

/** A half-open range `[start, end)`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Mel rows of an utterance: the STFT is centred, so there is a row at sample 0
 * and one every 200 samples. Speech shorter than one encoder window is
 * followed by silence up to 16 rows; the original cannot take it at all.
 */
export function melRowCount(samples: number): number {
  return Math.max(ENCODER_ROWS, 1 + Math.floor(samples / MEL_HOP_SAMPLES));
}

/** Encoder windows over `rows` mel rows: `floor((rows - 16) / 80 * 25) + 2`. */
export function encoderWindowCount(rows: number): number {
  return Math.floor(((rows - ENCODER_ROWS) / MEL_ROWS_PER_SECOND) * FRAMES_PER_SECOND) + 2;
}

/** Video frames of an utterance; one per feature row, the doubled first and last included. */
export function frameCount(samples: number): number {
  return encoderWindowCount(melRowCount(samples)) + 2;
}

/** First mel row of encoder window `window`, where the utterance does not end before. */
export function encoderWindowStart(window: number): number {
  return Math.floor((MEL_ROWS_PER_SECOND * window) / FRAMES_PER_SECOND);
}

/**
 * Encoder windows that frames `[first, end)` see. Feature row r is window
 * r - 1, because the first window is doubled. Not clamped to the end of the
 * utterance.
 */
export function encoderWindowsForFrames(first: number, end: number): Range {
  return {
    start: Math.max(0, first - FEATURE_ROWS_BEFORE - 1),
    end: Math.max(1, end - 1 + FEATURE_ROWS_PER_FRAME - FEATURE_ROWS_BEFORE - 1),
  };
}

/**
 * Samples that frames `[first, end)` depend on, in an utterance that does not
 * end before. Half an STFT window on either side of the mel rows, and one
 * sample more before them for the pre-emphasis.
 */
export function samplesForFrames(first: number, end: number): Range {
  const windows = encoderWindowsForFrames(first, end);
  const firstRow = encoderWindowStart(windows.start);
  const lastRow = encoderWindowStart(windows.end - 1) + ENCODER_ROWS - 1;
  return {
    start: Math.max(0, firstRow * MEL_HOP_SAMPLES - MEL_WINDOW_SAMPLES / 2 - 1),
    end: lastRow * MEL_HOP_SAMPLES + MEL_WINDOW_SAMPLES / 2,
  };
}

/**
 * The same for an utterance of `total` samples. Near its end the last encoder
 * window is moved back so that it lies within, hence the extra rows before.
 */
export function samplesForFramesWithin(first: number, end: number, total: number): Range {
  const open = samplesForFrames(first, end);
  const lastStart = melRowCount(total) - ENCODER_ROWS;
  const clampedStart = lastStart * MEL_HOP_SAMPLES - MEL_WINDOW_SAMPLES / 2 - 1;
  return {
    start: Math.max(0, Math.min(open.start, clampedStart)),
    end: Math.min(total, open.end),
  };
}

/** Frames of a still growing utterance that `samples` received samples decide for good. */
export function framesDecidedBy(samples: number): number {
  // The last row that frame f needs grows by 3.2 per frame; start below and walk.
  let frames = Math.max(0, Math.floor(samples / SAMPLES_PER_FRAME) - 16);
  while (samplesForFrames(frames, frames + 1).end <= samples) frames++;
  return frames;
}
