import type { Rectangle } from "../../avatar/rectangle.ts";
import { CoreCallError, type MouthRegion } from "../core/core-client.ts";

/** @param expected where the frame's mouth is. @throws CoreCallError when the core has put it elsewhere */
export function checkRegion({ x, y, width, height }: Rectangle, mouth: MouthRegion): void {
  const { region, frame } = mouth;
  const fits =
    region.x === x && region.y === y && region.width === width && region.height === height;
  if (fits) return;
  throw new CoreCallError(
    "internal",
    `the core placed the mouth of frame ${frame} elsewhere than the avatar does: run the same version of core and edge`,
  );
}
