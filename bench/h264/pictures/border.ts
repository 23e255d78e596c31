import type { Rectangle } from "../../../avatar/rectangle.ts";
import type { Picture } from "../../../edge/compositor/h264/picture.ts";

/**
 * How visible borders have become by coding: by how much the differences of
 * neighbouring luma samples differ from those of the original, on average.
 */
export interface BorderSteps {
  /** Across the left and the right side of the box. */
  readonly sides: number;
  /** Across its rows of macroblocks, each of which is a slice in `box` mode. */
  readonly rows: number;
  /** Half a macroblock further, where no slice ever ends: what coding does anyhow. */
  readonly besideSides: number;
  readonly besideRows: number;
}

const ROW = 16;
const BESIDE = 8;

/** @param box D of a box, in samples; not at the picture's left or right edge */
export function borderSteps(coded: Picture, original: Picture, box: Rectangle): BorderSteps {
  const { width } = coded;
  const bottom = Math.min(box.y + box.height, coded.height);
  const step = ({ y }: Picture, at: number, other: number) => y[at]! - y[other]!;
  const error = (at: number, other: number) =>
    Math.abs(step(coded, at, other) - step(original, at, other));
  const sides = (inset: number) => {
    const errors: number[] = [];
    for (let y = box.y; y < bottom; y++) {
      for (const x of [box.x + inset, box.x + box.width - inset]) {
        errors.push(error(y * width + x, y * width + x - 1));
      }
    }
    return mean(errors);
  };
  const rows = (offset: number) => {
    const errors: number[] = [];
    for (let y = box.y + ROW + offset; y < bottom; y += ROW) {
      for (let x = box.x; x < box.x + box.width; x++) {
        errors.push(error(y * width + x, (y - 1) * width + x));
      }
    }
    return mean(errors);
  };
  return {
    sides: sides(0),
    rows: rows(0),
    besideSides: sides(BESIDE),
    besideRows: rows(BESIDE),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
