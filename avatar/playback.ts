/** How the background loop is walked. */
export type Playback = "ping-pong";

/** Frames of the background's loop, there and back. */
export function loopLength(frameCount: number): number {
  return frameCount === 1 ? 1 : 2 * (frameCount - 1);
}

/**
 * Index of the background frame at playback position `position` (0-based, in
 * frames). As SyncTalk_2D walks its folder: there and back, the first frame
 * shown is index 1. For 5 frames: 1,2,3,4,3,2,1,0,1,2,...
 */
export function backgroundIndex(position: number, frameCount: number): number {
  if (frameCount === 1) return 0;
  const period = loopLength(frameCount);
  const step = (position + 1) % period;
  return step < frameCount ? step : period - step;
}
