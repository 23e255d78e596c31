import type { Rectangle } from "../../avatar/rectangle.ts";
import { PreparedFrameError } from "./prepared-frame-error.ts";

/**
 * A prepared frame as it lies in a pack and in memory: a header, and three
 * parts without gaps. All numbers u32, little-endian:
 *
 * | offset | meaning |
 * |---|---|
 * | 0 | kind: `MPNG` or `MJPG` |
 * | 4 | format version, 1 |
 * | 8, 12 | width and height of the frame |
 * | 16 | channels, 3 (RGB) or 4 (RGBA) |
 * | 20, 24, 28, 32 | x, y, width and height of the mouth's region, within the frame |
 * | 36 | width of the soft edge in pixels, 0 for none |
 * | 40, 44, 48 | length of head, live part and tail in bytes |
 * | 52 | 12 bytes of 0 |
 * | 64 | head: the file up to the mouth, as it goes out |
 * | ... | live part: what splicing needs; each kind's own |
 * | ... | tail: the file after the mouth, as it goes out |
 */
export interface PreparedEntry {
  readonly kind: PreparedKind;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly region: Rectangle;
  /** Pixels over which the mouth is blended into the background at its border. */
  readonly softEdge: number;
  readonly head: Uint8Array<ArrayBuffer>;
  readonly live: Uint8Array<ArrayBuffer>;
  readonly tail: Uint8Array<ArrayBuffer>;
}

export type PreparedKind = "MPNG" | "MJPG";

export const ENTRY_HEADER_BYTES = 64;
const ENTRY_VERSION = 1;
/** As the manifest of an avatar has it. */
const MAX_SIDE = 8192;
export const MAX_SOFT_EDGE = 64;

export function encodeEntry(entry: PreparedEntry): Uint8Array<ArrayBuffer> {
  const { kind, width, height, channels, region, softEdge, head, live, tail } = entry;
  const bytes = new Uint8Array(ENTRY_HEADER_BYTES + head.length + live.length + tail.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) bytes[i] = kind.charCodeAt(i);
  const { x, y } = region;
  const numbers = [ENTRY_VERSION, width, height, channels, x, y, region.width, region.height];
  numbers.push(softEdge, head.length, live.length, tail.length);
  for (const [i, number] of numbers.entries()) view.setUint32(4 + 4 * i, number, true);
  bytes.set(head, ENTRY_HEADER_BYTES);
  bytes.set(live, ENTRY_HEADER_BYTES + head.length);
  bytes.set(tail, ENTRY_HEADER_BYTES + head.length + live.length);
  return bytes;
}

/**
 * Reads an entry without copying its parts, and checks that they fit together.
 * @throws PreparedFrameError
 */
export function decodeEntry(bytes: Uint8Array<ArrayBuffer>): PreparedEntry {
  if (bytes.length < ENTRY_HEADER_BYTES) throw new PreparedFrameError("it is cut short");
  const kind = String.fromCharCode(...bytes.subarray(0, 4));
  if (kind !== "MPNG" && kind !== "MJPG") throw new PreparedFrameError("its kind is not known");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = (index: number) => view.getUint32(4 + 4 * index, true);
  if (number(0) !== ENTRY_VERSION) {
    throw new PreparedFrameError(`its format version ${number(0)} is not known`);
  }
  const [width, height, channels] = [number(1), number(2), number(3)];
  const region = { x: number(4), y: number(5), width: number(6), height: number(7) };
  const softEdge = number(8);
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) {
    throw new PreparedFrameError(`its size ${width}x${height} is impossible`);
  }
  if (channels !== 3 && channels !== 4) throw new PreparedFrameError(`it has ${channels} channels`);
  const isInside =
    region.width > 0 &&
    region.height > 0 &&
    region.x + region.width <= width &&
    region.y + region.height <= height;
  if (!isInside) throw new PreparedFrameError("its mouth lies outside the frame");
  if (softEdge > MAX_SOFT_EDGE) {
    throw new PreparedFrameError(`its soft edge of ${softEdge} pixels is impossible`);
  }
  const [headBytes, liveBytes, tailBytes] = [number(9), number(10), number(11)];
  if (ENTRY_HEADER_BYTES + headBytes + liveBytes + tailBytes !== bytes.length) {
    throw new PreparedFrameError("its parts do not add up to its length");
  }
  const liveStart = ENTRY_HEADER_BYTES + headBytes;
  return {
    kind,
    width,
    height,
    channels,
    region,
    softEdge,
    head: bytes.subarray(ENTRY_HEADER_BYTES, liveStart),
    live: bytes.subarray(liveStart, liveStart + liveBytes),
    tail: bytes.subarray(liveStart + liveBytes),
  };
}
