import type { Rectangle } from "../../../avatar/rectangle.ts";
import { macroblockSize, type StreamFormat } from "./parameter-sets.ts";
import { type SliceMap, type SliceMode, sliceMap } from "./slice-map.ts";

/** Positions of the loop, group by group, as even as can be. */
export function planGroups(
  count: number,
  groupFrames: number,
): readonly [start: number, end: number][] {
  const groups = Math.ceil(count / groupFrames);
  return Array.from({ length: groups }, (_, n) => [
    Math.floor((count * n) / groups),
    Math.floor((count * (n + 1)) / groups),
  ]);
}

/**
 * The slices of a group: D covers all of its mouths.
 * @throws RangeError when a mouth does not lie in the picture
 */
export function groupMap(
  size: Pick<StreamFormat, "width" | "height">,
  mouths: readonly Rectangle[],
  mode: SliceMode,
): SliceMap {
  const x = Math.min(...mouths.map((mouth) => mouth.x));
  const y = Math.min(...mouths.map((mouth) => mouth.y));
  const right = Math.max(...mouths.map((mouth) => mouth.x + mouth.width));
  const bottom = Math.max(...mouths.map((mouth) => mouth.y + mouth.height));
  return sliceMap(macroblockSize(size), { x, y, width: right - x, height: bottom - y }, mode);
}
