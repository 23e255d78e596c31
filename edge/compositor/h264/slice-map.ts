import type { Rectangle } from "../../../avatar/rectangle.ts";

/**
 * How a picture is cut into slices.
 *
 * - `band`: the macroblock rows of the mouth, full width, are one live slice;
 *   what is above and below is static. Three NAL units, no border in the face.
 * - `box`: each of those rows is cut into the live macroblocks and the static
 *   ones beside them. Up to 2 rows + 1 NAL units, and the least to code live.
 */
export type SliceMode = "band" | "box";

/** Macroblocks that follow each other in reading order. */
export interface Slice {
  /** Address of its first macroblock in the picture: first_mb_in_slice. */
  readonly first: number;
  readonly count: number;
  /** Whether it belongs to D, which is coded anew for every session that speaks. */
  readonly isLive: boolean;
}

/** A picture's macroblocks, those of them that are live (called D), and its slices. */
export interface SliceMap {
  readonly columns: number;
  readonly rows: number;
  /** D: nothing outside of it depends on it. */
  readonly live: Rectangle;
  /** In the order of a picture's NAL units. */
  readonly slices: readonly Slice[];
}

/**
 * @param box the mouth, in samples; all of its macroblocks become live
 * @throws RangeError when it does not lie in the picture
 */
export function sliceMap(
  size: { readonly columns: number; readonly rows: number },
  box: Rectangle,
  mode: SliceMode,
): SliceMap {
  const { columns, rows } = size;
  const left = Math.floor(box.x / 16);
  const top = Math.floor(box.y / 16);
  const right = Math.ceil((box.x + box.width) / 16);
  const bottom = Math.ceil((box.y + box.height) / 16);
  if (left < 0 || top < 0 || right > columns || bottom > rows || left >= right || top >= bottom) {
    throw new RangeError(
      `a mouth of ${box.width}x${box.height} at ${box.x},${box.y} does not lie in ${columns * 16}x${rows * 16}`,
    );
  }
  const live =
    mode === "band"
      ? { x: 0, y: top, width: columns, height: bottom - top }
      : { x: left, y: top, width: right - left, height: bottom - top };
  return { columns, rows, live, slices: cut(columns, rows, live) };
}

function cut(columns: number, rows: number, live: Rectangle): Slice[] {
  const isWhole = live.width === columns;
  const slices: Slice[] = [];
  let done = 0;
  const add = (end: number, isLive: boolean) => {
    if (end > done) slices.push({ first: done, count: end - done, isLive });
    done = end;
  };
  // Rows of full width follow each other: they are one slice.
  for (let row = 0; row < (isWhole ? 1 : live.height); row++) {
    const start = (live.y + row) * columns + live.x;
    add(start, false);
    add(start + (isWhole ? live.width * live.height : live.width), true);
  }
  add(columns * rows, false);
  return slices;
}
