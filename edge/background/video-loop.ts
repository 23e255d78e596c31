import { type Manifest, mouthRegion } from "../../avatar/manifest.ts";
import { backgroundIndex, loopLength } from "../../avatar/playback.ts";
import type { FramePlace } from "../compositor/h264/group-entry.ts";
import { groupMap, planGroups } from "../compositor/h264/plan-groups.ts";
import type { SliceMap, SliceMode } from "../compositor/h264/slice-map.ts";

/** Frames of an avatar's loop that are coded together. */
export interface PlannedGroup {
  /** Positions of the loop, the last one included no more. */
  readonly start: number;
  readonly end: number;
  readonly map: SliceMap;
}

export interface LoopOptions {
  readonly mode: SliceMode;
  /** Longest group. */
  readonly groupFrames: number;
}

/**
 * How the loop of an avatar is cut into groups: publisher and edge work it out
 * from the same manifest.
 */
export function planLoop(manifest: Manifest, options: LoopOptions): readonly PlannedGroup[] {
  const ranges = planGroups(loopLength(manifest.frameCount), options.groupFrames);
  return ranges.map(([start, end]) => {
    const regions = placesOf(manifest, start, end).map(({ region }) => region);
    return { start, end, map: groupMap(manifest, regions, options.mode) };
  });
}

/** What is shown at positions of the loop. */
export function placesOf(manifest: Manifest, start: number, end: number): FramePlace[] {
  return Array.from({ length: end - start }, (_, n) => {
    const frame = backgroundIndex(start + n, manifest.frameCount);
    return { frame, region: mouthRegion(manifest, frame) };
  });
}
