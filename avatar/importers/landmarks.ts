import { AvatarError } from "../avatar-error.ts";
import type { Rectangle } from "../rectangle.ts";

const LANDMARKS = 110;

/** A point of the face in pixels. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * A `.lms` file: one landmark per line, `x y`.
 * @throws AvatarError `invalid_source` with file and line
 */
export function parseLandmarks(text: string, path: string): Point[] {
  const points = text
    .trim()
    .split(/\r?\n/)
    .map((line, n) => {
      const [x = Number.NaN, y = Number.NaN] = line.trim().split(/\s+/).map(Number);
      if (Number.isFinite(x) && Number.isFinite(y)) return { x, y };
      throw new AvatarError("invalid_source", `${path}, line ${n + 1}: expected "x y"`);
    });
  if (points.length >= LANDMARKS) return points;
  throw new AvatarError(
    "invalid_source",
    `${path} has ${points.length} landmarks, expected ${LANDMARKS}: detect them again`,
  );
}

/** The mouth's rectangle as SyncTalk_2D takes it: a square, truncated to integers. */
export function rectangleFromLandmarks(points: readonly Point[], path: string): Rectangle {
  const x = Math.trunc(points[1]!.x);
  const y = Math.trunc(points[52]!.y);
  const width = Math.trunc(points[31]!.x) - x;
  if (width > 0) return { x, y, width, height: width };
  throw new AvatarError(
    "invalid_source",
    `${path}: landmark 31 is not to the right of landmark 1, so there is no mouth rectangle`,
  );
}
