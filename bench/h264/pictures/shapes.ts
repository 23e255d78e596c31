import type { Rectangle } from "../../../avatar/rectangle.ts";
import type { SliceMap } from "../../../edge/compositor/h264/slice-map.ts";
import { line, rectangle, type Shapes } from "./canvas.ts";
import { footprintOf, type Kind, type Macroblock } from "./inspect.ts";

const LIVE = ["#ea580c", "#f59e0b"] as const;
const STATIC = ["#1d4ed8", "#0d9488"] as const;
const TINTS: Readonly<Record<Kind, string | null>> = {
  skip: null,
  "inter 16x16": "#16a34a",
  "inter 16x8": "#0891b2",
  "inter 8x16": "#0891b2",
  "inter 8x8": "#1d4ed8",
  "intra 4x4": "#dc2626",
  "intra 16x16": "#db2777",
  PCM: "#000",
};
/** By how much vectors are drawn longer than they are. */
const VECTOR_GAIN = 4;

/** Slices in turns of two colours: orange and yellow are live, blue and green static. */
export function sliceShapes({ columns, rows, slices }: SliceMap, scale: number): Shapes {
  const side = 16 * scale;
  const sliceOf = new Int32Array(columns * rows);
  const shapes: string[] = [];
  const seen = { live: 0, fixed: 0 };
  for (const [n, { first, count, isLive }] of slices.entries()) {
    sliceOf.fill(n, first, first + count);
    const colour = isLive ? LIVE[seen.live++ % 2] : STATIC[seen.fixed++ % 2];
    const style = `fill="${colour}" fill-opacity="0.3"`;
    for (let row = Math.floor(first / columns); row * columns < first + count; row++) {
      const from = Math.max(first, row * columns) - row * columns;
      const to = Math.min(first + count, (row + 1) * columns) - row * columns;
      shapes.push(rectangle(from * side, row * side, (to - from) * side, side, style));
    }
  }
  const border = `stroke="#fff" stroke-width="1.5"`;
  for (let mb = 0; mb < columns * rows; mb++) {
    const x = (mb % columns) * side;
    const y = Math.floor(mb / columns) * side;
    if (mb % columns > 0 && sliceOf[mb] !== sliceOf[mb - 1]) {
      shapes.push(line(x, y, x, y + side, border));
    }
    if (mb >= columns && sliceOf[mb] !== sliceOf[mb - columns]) {
      shapes.push(line(x, y, x + side, y, border));
    }
  }
  return shapes;
}

/** How macroblocks were coded, and their vectors; nothing over those that are skipped. */
export function codingShapes(
  macroblocks: readonly Macroblock[],
  columns: number,
  part: Rectangle,
  scale: number,
): Shapes {
  const tints: string[] = [];
  const vectors: string[] = [];
  for (const [n, { kind, partitions }] of macroblocks.entries()) {
    const x = ((n % columns) * 16 - part.x) * scale;
    const y = (Math.floor(n / columns) * 16 - part.y) * scale;
    const tint = TINTS[kind];
    const style = `fill="${tint}" fill-opacity="0.35" stroke="${tint}" stroke-opacity="0.6"`;
    if (tint) tints.push(rectangle(x, y, 16 * scale, 16 * scale, style));
    for (const { x, y, width, height, vx, vy } of partitions) {
      const fromX = (x + width / 2 - part.x) * scale;
      const fromY = (y + height / 2 - part.y) * scale;
      const toX = fromX + (vx / 4) * scale * VECTOR_GAIN;
      const toY = fromY + (vy / 4) * scale * VECTOR_GAIN;
      vectors.push(line(fromX, fromY, toX, toY, `stroke="#fff" stroke-width="1.5"`));
      vectors.push(`<circle cx="${fromX}" cy="${fromY}" r="1.5" fill="#fff"/>`);
    }
  }
  return [...tints, ...vectors];
}

/** D's outline. */
export function liveShapes({ live }: SliceMap, part: Rectangle, scale: number): Shapes {
  const x = (live.x * 16 - part.x) * scale;
  const y = (live.y * 16 - part.y) * scale;
  const style = `fill="none" stroke="#f59e0b" stroke-width="3"`;
  return [rectangle(x, y, live.width * 16 * scale, live.height * 16 * scale, style)];
}

/**
 * What partitions outside of D read of the picture before.
 * @throws Error when any of it lies in D
 */
export function footprintShapes(
  macroblocks: readonly Macroblock[],
  { columns, live }: SliceMap,
  part: Rectangle,
  scale: number,
): Shapes {
  const shapes: string[] = [];
  for (const [n, { partitions }] of macroblocks.entries()) {
    const column = n % columns;
    const row = Math.floor(n / columns);
    const isLive =
      column >= live.x &&
      column < live.x + live.width &&
      row >= live.y &&
      row < live.y + live.height;
    if (isLive) continue;
    for (const partition of partitions) {
      const read = footprintOf(partition);
      const isApart =
        read.x >= (live.x + live.width) * 16 ||
        read.x + read.width <= live.x * 16 ||
        read.y >= (live.y + live.height) * 16 ||
        read.y + read.height <= live.y * 16;
      if (!isApart) throw new Error(`a vector of macroblock ${n} reads D`);
      const style = `fill="#1d4ed8" fill-opacity="0.18" stroke="#1d4ed8" stroke-width="1.5"`;
      const x = (read.x - part.x) * scale;
      const y = (read.y - part.y) * scale;
      shapes.push(rectangle(x, y, read.width * scale, read.height * scale, style));
    }
  }
  return shapes;
}
