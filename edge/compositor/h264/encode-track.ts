import type { Rectangle } from "../../../avatar/rectangle.ts";
import type { StreamFormat } from "./parameter-sets.ts";
import { PartCoder } from "./part-coder.ts";
import { type Picture, pictureOf, planesOf } from "./picture.ts";
import { groupMap, planGroups } from "./plan-groups.ts";
import type { SliceMap, SliceMode } from "./slice-map.ts";
import type { CodedPicture, Group, Track, TrackFrame } from "./track.ts";

/** The frames of an avatar. */
export interface BackgroundFrames {
  readonly width: number;
  readonly height: number;
  /** The order in which frames are shown, in a loop: `[1, 2, 3, 2, 1, 0]`. */
  readonly order: readonly number[];
  /** Where the mouth of a frame is, in samples; within the frame. */
  regionOf(frame: number): Rectangle;
  /** May be asked for the same frame several times, in the order of the loop. */
  read(frame: number): Promise<Picture>;
}

export interface EncodeOptions {
  readonly framesPerSecond: number;
  /**
   * `band` unless half the work at run time is worth borders and more bits: a tenth at fine
   * quantisers, half as many again at coarse ones where the background stands still.
   */
  readonly mode?: SliceMode;
  /** Samples over which mouths fade into the background. Default 0. */
  readonly softEdge?: number;
  /** Quantiser of IDR pictures, 10 to 45. Default 24. */
  readonly intraQp?: number;
  /** Quantiser of P pictures, 10 to 45. Default 30. */
  readonly interQp?: number;
  /** Frames of a group, at most. Default 6 seconds, 256 at most. */
  readonly groupFrames?: number;
  /** An IDR variant every so many frames of a group; 0 for none. Default 1 second. */
  readonly keyEveryFrames?: number;
  /** Told of every picture that is coded. */
  readonly onPicture?: (coded: CodedFrame) => void;
  readonly signal?: AbortSignal;
}

/** A picture of the loop, without any mouth. */
export interface CodedFrame {
  readonly position: number;
  /** Of the avatar. */
  readonly frame: number;
  readonly source: Picture;
  /** What every decoder shows. */
  readonly shown: () => Picture;
}

/** All options of `encodeTrack`, checked, with their defaults. */
interface Settings extends Required<Omit<EncodeOptions, "onPicture" | "signal">> {
  /** Quantisers of the source of D. */
  readonly sourceIntraQp: number;
  readonly sourceInterQp: number;
}

/** IDR pictures gain most from quality, as all of the group is built on them. */
const DEFAULT_INTRA_QP = 24;
const DEFAULT_INTER_QP = 30;
const DEFAULT_GROUP_SECONDS = 6;
const DEFAULT_KEY_SECONDS = 1;
/** Ten seconds of 25 frames: viewers who have lost a picture wait for the next group. */
export const MAX_GROUP_FRAMES = 256;
/** By how much the source of D is finer than what becomes of it. */
const SOURCE_INTRA_BONUS = 5;
const SOURCE_INTER_BONUS = 7;
/** Bounds of quantisers: levels stay within what has codes, and pictures recognisable. */
export const MIN_QP = 10;
export const MAX_QP = 45;

/**
 * @throws RangeError for options out of their range
 */
export function settingsOf(options: EncodeOptions): Settings {
  const { framesPerSecond } = options;
  const intraQp = options.intraQp ?? DEFAULT_INTRA_QP;
  const interQp = options.interQp ?? DEFAULT_INTER_QP;
  const settings = {
    framesPerSecond,
    mode: options.mode ?? "band",
    softEdge: options.softEdge ?? 0,
    intraQp,
    interQp,
    sourceIntraQp: Math.max(MIN_QP, intraQp - SOURCE_INTRA_BONUS),
    sourceInterQp: Math.max(MIN_QP, interQp - SOURCE_INTER_BONUS),
    groupFrames:
      options.groupFrames ??
      Math.min(MAX_GROUP_FRAMES, Math.round(framesPerSecond * DEFAULT_GROUP_SECONDS)),
    keyEveryFrames: options.keyEveryFrames ?? Math.round(framesPerSecond * DEFAULT_KEY_SECONDS),
  };
  for (const qp of [settings.intraQp, settings.interQp]) check("a quantiser", qp, MIN_QP, MAX_QP);
  check("a group", settings.groupFrames, 1, MAX_GROUP_FRAMES);
  check("keyEveryFrames", settings.keyEveryFrames, 0, MAX_GROUP_FRAMES);
  check("softEdge", settings.softEdge, 0, 64);
  return settings;
}

function check(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${what} of ${value} is not a whole number from ${least} to ${most}`);
}

/**
 * Codes the background of an avatar, so that mouths can be put in without
 * coding it again. Takes about a tenth of a second per frame of 720p; groups
 * are independent, so several processes can each code some of them with
 * `encodeGroup`.
 *
 * @throws RangeError for options or sizes that cannot be
 */
export async function encodeTrack(
  frames: BackgroundFrames,
  options: EncodeOptions,
): Promise<Track> {
  const settings = settingsOf(options);
  const groups: Group[] = [];
  for (const [start, end] of planGroups(frames.order.length, settings.groupFrames)) {
    groups.push(await encodeGroup(frames, options, start, end));
  }
  return assembleTrack(frames, options, groups);
}

/** The track of groups that were coded on their own, in the order of `planGroups`. */
export function assembleTrack(
  { width, height }: Pick<BackgroundFrames, "width" | "height">,
  options: EncodeOptions,
  groups: readonly Group[],
): Track {
  const { framesPerSecond, mode, softEdge, intraQp, interQp } = settingsOf(options);
  const format: StreamFormat = {
    width,
    height,
    framesPerSecond,
    // What the level must allow; live slices are far below.
    maxKilobitsPerSecond: Math.ceil(peakKilobits(groups, framesPerSecond)),
  };
  return { format, mode, softEdge, intraQp, interQp, groups };
}

/** Of the second with most bits, and as much again for what is live. */
export function peakKilobits(groups: readonly Group[], framesPerSecond: number): number {
  let most = 0;
  for (const { frames } of groups) {
    const bytes = frames.map(({ picture }) =>
      [...picture.fixed, ...picture.idle].reduce((sum, slice) => sum + slice.length, 0),
    );
    const window = Math.max(1, Math.round(framesPerSecond));
    for (let at = 0; at < bytes.length; at += window) {
      most = Math.max(
        most,
        bytes.slice(at, at + window).reduce((sum, count) => sum + count, 0),
      );
    }
  }
  return (2 * most * 8) / 1000;
}

/**
 * Codes positions `[start, end)` of the loop as one group.
 * @throws RangeError when a mouth does not lie in the picture
 */
export async function encodeGroup(
  frames: BackgroundFrames,
  options: EncodeOptions,
  start: number,
  end: number,
): Promise<Group> {
  const settings = settingsOf(options);
  const { width, height, order } = frames;
  const shown = order.slice(start, end);
  const regions = shown.map((frame) => frames.regionOf(frame));
  const map = groupMap({ width, height }, regions, settings.mode);
  const fixed = new PartCoder(map, "static");
  const idle = new PartCoder(map, "live");
  const fixedKeys = new PartCoder(map, "static");
  const idleKeys = new PartCoder(map, "live");
  const source = new PartCoder(map, "live");
  const corner = { x: map.live.x * 16, y: map.live.y * 16 };
  const coded: TrackFrame[] = [];
  for (const [n, frame] of shown.entries()) {
    options.signal?.throwIfAborted();
    const picture = await frames.read(frame);
    fixed.coder.setSource(picture, { x: 0, y: 0 });
    idle.coder.setSource(picture, corner);
    source.coder.setSource(picture, corner);
    const isIdr = n === 0;
    const request = {
      type: isIdr ? "IDR" : "P",
      qp: isIdr ? settings.intraQp : settings.interQp,
      effort: "offline",
      frameNum: 0,
      idrParity: 0,
    } as const;
    const asChain: CodedPicture = {
      fixed: fixed.codeSlices(request),
      idle: idle.codeSlices(request),
    };
    const isKey = settings.keyEveryFrames > 0 && n % settings.keyEveryFrames === 0;
    const isSourceKey = isIdr || isKey;
    const asSource = {
      ...request,
      type: isSourceKey ? "IDR" : "P",
      qp: isSourceKey ? settings.sourceIntraQp : settings.sourceInterQp,
    } as const;
    let keyPicture: CodedPicture | null = null;
    if (isKey && !isIdr) {
      // Pictures after it were coded against the chain: so it shows what the
      // chain shows, as well as an IDR picture can.
      fixedKeys.coder.setSource(fixed.coder.reconstruction(), { x: 0, y: 0 });
      idleKeys.coder.setSource(idle.coder.reconstruction(), { x: 0, y: 0 });
      const asKey = { ...request, type: "IDR", qp: settings.intraQp } as const;
      keyPicture = { fixed: fixedKeys.codeSlices(asKey), idle: idleKeys.codeSlices(asKey) };
    }
    coded.push({
      frame,
      region: frames.regionOf(frame),
      picture: asChain,
      keyPicture,
      source: source.codeSlices(asSource),
      isSourceKey,
    });
    const shown = () =>
      combine(frames, map, fixed.coder.reconstruction(), idle.coder.reconstruction());
    options.onPicture?.({ position: start + n, frame, source: picture, shown });
  }
  return { map, length: coded.length, frames: coded };
}

/** D put into the rest; cropped. */
function combine(
  { width, height }: Pick<BackgroundFrames, "width" | "height">,
  { live }: SliceMap,
  fixed: Picture,
  idle: Picture,
): Picture {
  const picture = pictureOf(new Uint8Array((width * height * 3) / 2), width, height);
  const [around, inside] = [planesOf(fixed), planesOf(idle)];
  for (const [plane, { data, width, height }] of planesOf(picture).entries()) {
    const side = plane === 0 ? 16 : 8;
    const rest = around[plane]!;
    const part = inside[plane]!;
    for (let y = 0; y < height; y++) {
      const row = y * rest.width;
      data.set(rest.data.subarray(row, row + width), y * width);
      const own = y - live.y * side;
      if (own < 0 || own >= part.height) continue;
      const left = live.x * side;
      const count = Math.min(part.width, width - left);
      const from = own * part.width;
      data.set(part.data.subarray(from, from + count), y * width + left);
    }
  }
  return picture;
}
