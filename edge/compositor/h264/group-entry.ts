import { PreparedFrameError } from "../prepared-frame-error.ts";
import type { SliceMap } from "./slice-map.ts";
import type { CodedPicture, Group, TrackFrame } from "./track.ts";

/**
 * A group of a track as an entry of a pack (`avatar/pack.ts`, which checks its
 * bytes). What the avatar's manifest tells is not told again: which frames they
 * are, their mouths, the map of slices.
 *
 * | bytes | meaning |
 * |---|---|
 * | 4 | `M264` |
 * | 1 | format version, 1 |
 * | 4 | float32, little-endian: mean squared error of the luma, see below |
 * | per frame: 1 | 1: it has a key picture; 2: its source can be read alone |
 * | per slice of the frame: LEB128 | its length in bytes |
 * | the rest | the slices as RBSP, frame after frame |
 *
 * The slices of a frame: fixed and idle ones of the picture, fixed and idle
 * ones of the key picture where there is one, those of the source of D. The
 * error is that of the idle pictures against the frames that they were made
 * from: who publishes has those, and who inspects has not.
 */
const MAGIC = [0x4d, 0x32, 0x36, 0x34];
const VERSION = 1;
const HEAD_BYTES = MAGIC.length + 1 + 4;
const HAS_KEY = 1;
const IS_SOURCE_KEY = 2;
/** Of an entry: it is in memory as a whole. One of a 720p film has a tenth of it. */
export const MAX_GROUP_BYTES = 16 * 1024 * 1024;
/** Of PCM macroblocks no slice has more. */
const MAX_SLICE_BYTES = 1 << 24;

/** What the manifest tells of a frame. */
export type FramePlace = Pick<TrackFrame, "frame" | "region">;

/** @param meanSquaredError of the group's luma */
export function encodeGroupEntry(
  { frames }: Group,
  meanSquaredError: number,
): Uint8Array<ArrayBuffer> {
  const error = new Uint8Array(new Float32Array([meanSquaredError]).buffer);
  const head = [...MAGIC, VERSION, ...error];
  const slices: Uint8Array[] = [];
  for (const { picture, keyPicture, source, isSourceKey } of frames) {
    head.push((keyPicture ? HAS_KEY : 0) | (isSourceKey ? IS_SOURCE_KEY : 0));
    const key = keyPicture ? [...keyPicture.fixed, ...keyPicture.idle] : [];
    for (const slice of [...picture.fixed, ...picture.idle, ...key, ...source]) {
      for (let left = slice.length; ; left >>>= 7) {
        head.push(left < 128 ? left : (left & 127) | 128);
        if (left < 128) break;
      }
      slices.push(slice);
    }
  }
  const bytes = new Uint8Array(slices.reduce((sum, { length }) => sum + length, head.length));
  bytes.set(head);
  let at = head.length;
  for (const slice of slices) {
    bytes.set(slice, at);
    at += slice.length;
  }
  return bytes;
}

/**
 * Reads an entry without copying it: the group's slices are views of `bytes`,
 * which sessions write to.
 * @param places of its frames, as the manifest has them
 * @throws PreparedFrameError when it is not a group of so many frames and slices
 */
export function decodeGroupEntry(
  bytes: Uint8Array<ArrayBuffer>,
  map: SliceMap,
  places: readonly FramePlace[],
): Group {
  if (![...MAGIC, VERSION].every((byte, n) => bytes[n] === byte)) {
    throw damaged("it does not begin as one");
  }
  const live = map.slices.filter(({ isLive }) => isLive).length;
  const fixed = map.slices.length - live;
  let at = HEAD_BYTES;
  const readByte = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw damaged("it ends within its head");
    return byte;
  };
  const readLength = (): number => {
    let length = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = readByte();
      length |= (byte & 127) << shift;
      if (byte < 128 && length > 0 && length <= MAX_SLICE_BYTES) return length;
      if (byte < 128) break;
    }
    throw damaged("a slice has an impossible length");
  };
  const heads = places.map(() => {
    const flags = readByte();
    const slices = fixed + live + (flags & HAS_KEY ? fixed + live : 0) + live;
    return { flags, lengths: Array.from({ length: slices }, readLength) };
  });
  const frames = places.map((place, n): TrackFrame => {
    const { flags, lengths } = heads[n]!;
    const slices = lengths.map((length) => {
      at += length;
      return bytes.subarray(at - length, at);
    });
    const take = (count: number) => slices.splice(0, count);
    const takePicture = (): CodedPicture => ({ fixed: take(fixed), idle: take(live) });
    return {
      ...place,
      picture: takePicture(),
      keyPicture: flags & HAS_KEY ? takePicture() : null,
      source: take(live),
      isSourceKey: (flags & IS_SOURCE_KEY) !== 0,
    };
  });
  if (at !== bytes.length) throw damaged("its slices are not as long as its head says");
  if (!frames[0]?.isSourceKey) throw damaged("its first source needs another");
  return { map, length: frames.length, frames };
}

/** Mean squared error of the luma of an entry that `decodeGroupEntry` has read. */
export function errorOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(MAGIC.length + 1, true);
}

function damaged(why: string): PreparedFrameError {
  return new PreparedFrameError(`a group of the video track is damaged: ${why}`);
}
