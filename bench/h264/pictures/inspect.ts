import type { AccessUnit } from "../../../edge/compositor/h264/live-session.ts";
import { PartCoder } from "../../../edge/compositor/h264/part-coder.ts";
import type { SliceMap } from "../../../edge/compositor/h264/slice-map.ts";
import { rbspOf } from "../../../test/support/bit-reader.ts";

/** As in `edge/compositor/assembly/h264/planes.ts`. */
export const KINDS = [
  "skip",
  "inter 16x16",
  "inter 16x8",
  "inter 8x16",
  "inter 8x8",
  "intra 4x4",
  "intra 16x16",
  "PCM",
] as const;
export type Kind = (typeof KINDS)[number];

/** A partition and its motion vector: the block in samples of the picture, the vector in quarters. */
export interface Partition {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly vx: number;
  readonly vy: number;
}

export interface Macroblock {
  readonly kind: Kind;
  /** Of inter macroblocks; skipped ones have none. */
  readonly partitions: readonly Partition[];
}

const PARTITIONS: Readonly<Partial<Record<Kind, readonly (readonly number[])[]>>> = {
  "inter 16x16": [[0, 0, 16, 16]],
  "inter 16x8": [
    [0, 0, 16, 8],
    [0, 8, 16, 8],
  ],
  "inter 8x16": [
    [0, 0, 8, 16],
    [8, 0, 8, 16],
  ],
  "inter 8x8": [
    [0, 0, 8, 8],
    [8, 0, 8, 8],
    [0, 8, 8, 8],
    [8, 8, 8, 8],
  ],
};

/** Reads back how the access units of one group of pictures were coded. */
export class Inspector {
  readonly #map: SliceMap;
  readonly #fixed: PartCoder;
  readonly #live: PartCoder;

  constructor(map: SliceMap) {
    this.#map = map;
    this.#fixed = new PartCoder(map, "static");
    this.#live = new PartCoder(map, "live");
  }

  /**
   * @returns the picture's macroblocks in reading order
   * @throws Error for slices that this project's coder has not made
   */
  read({ parts, isKeyFrame }: AccessUnit): Macroblock[] {
    const { columns, rows, live, slices } = this.#map;
    const rbsps = parts.slice(parts.length - slices.length).map(rbspOf);
    const of = (isLive: boolean) => rbsps.filter((_, n) => slices[n]!.isLive === isLive);
    const isRead =
      this.#fixed.decode(of(false), isKeyFrame) && this.#live.decode(of(true), isKeyFrame);
    if (!isRead) throw new Error("slices of another coder");
    const macroblocks = parse(this.#fixed.coder.hints(), columns, rows, 0, 0);
    const inside = parse(
      this.#live.coder.hints(),
      live.width,
      live.height,
      live.x * 16,
      live.y * 16,
    );
    for (const [n, macroblock] of inside.entries()) {
      const row = live.y + Math.floor(n / live.width);
      macroblocks[row * columns + live.x + (n % live.width)] = macroblock;
    }
    return macroblocks;
  }
}

/** As `edge/compositor/assembly/h264/hints.ts` writes them. */
function parse(
  hints: Uint8Array<ArrayBuffer>,
  columns: number,
  rows: number,
  left: number,
  top: number,
): Macroblock[] {
  const view = new DataView(hints.buffer, hints.byteOffset);
  let at = columns * rows;
  return Array.from({ length: columns * rows }, (_, n) => {
    const kind = KINDS[hints[n]!] ?? "skip";
    const x = left + (n % columns) * 16;
    const y = top + Math.floor(n / columns) * 16;
    const partitions = (PARTITIONS[kind] ?? []).map(([dx, dy, width, height]) => {
      const vx = view.getInt16(at, true);
      const vy = view.getInt16(at + 2, true);
      at += 4;
      return { x: x + dx!, y: y + dy!, width: width!, height: height!, vx, vy };
    });
    return { kind, partitions };
  });
}

/** Bytes of an access unit's NAL units, start codes and all. */
export function bytesOf({ parts }: AccessUnit, { slices }: SliceMap) {
  const before = parts.length - slices.length;
  const sum = { fixed: 0, live: 0, parameterSets: 0 };
  for (const [n, { length }] of parts.entries()) {
    if (n < before) sum.parameterSets += length;
    else if (slices[n - before]!.isLive) sum.live += length;
    else sum.fixed += length;
  }
  return sum;
}

/** What the prediction of a partition reads of the picture before: the six taps of fractions too. */
export function footprintOf({ x, y, width, height, vx, vy }: Partition) {
  const left = x + (vx >> 2) - (vx & 3 ? 2 : 0);
  const top = y + (vy >> 2) - (vy & 3 ? 2 : 0);
  const right = x + (vx >> 2) + width + (vx & 3 ? 3 : 0);
  const bottom = y + (vy >> 2) + height + (vy & 3 ? 3 : 0);
  return { x: left, y: top, width: right - left, height: bottom - top };
}
