/**
 * What the simulation assumes. The devices are those of the published design;
 * loads and memory are those measured for the full-size U-Net (48.6 MB).
 */
export const SETTINGS = {
  workersPerGpu: 4,
  /** 150 frames a second per worker, whatever the batch: the published arithmetic. */
  frameMs: 1000 / 150,
  /** On a CPU of ours it took 0.3 to 0.4 s. */
  loadMs: 600,
  modelBytes: 220e6,
  gpuBytes: 24e9,
  modelFileBytes: 48.6e6,
  /** From the end of a device's process to the next one that serves. */
  restartMs: 2000,
  avatars: 1200,
  /** Share of the time that a person's avatar talks. */
  duty: 0.27,
  /** Of one turn of the avatar in a conversation; turns are exponentially distributed. */
  turnMs: 4000,
  /** The player starts so long after a turn was asked for. */
  startUpMs: 200,
  /** The reader is at most so far ahead of what is played. */
  readAheadMs: 400,
  /** The edge asks for windows of these sizes, and for the next one when so many frames are left. */
  windowFrames: [5, 10, 25, 50],
  aheadFrames: 8,
  /** People count as served while the 99th percentile of queueing is below. */
  queueLimitMs: 100,
  seed: 20_26,
} as const;

export const FRAME_MS = 40;

/** What the published design says of 8 GPUs. */
export const PUBLISHED = { framesPerSecond: 4800, people: 710 } as const;
