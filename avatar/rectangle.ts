/** A rectangle in pixels; `x`, `y` is its top left corner and may be negative. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The part of `rectangle` inside a frame: a rectangle that leaves the frame is
 * intersected with it, not moved. Null when nothing is left.
 */
export function intersectFrame(
  rectangle: Rectangle,
  frameWidth: number,
  frameHeight: number,
): Rectangle | null {
  const x = Math.max(0, rectangle.x);
  const y = Math.max(0, rectangle.y);
  const width = Math.min(frameWidth, rectangle.x + rectangle.width) - x;
  const height = Math.min(frameHeight, rectangle.y + rectangle.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : null;
}
