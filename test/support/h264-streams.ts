import assert from "node:assert/strict";
import type { Rectangle } from "../../avatar/rectangle.ts";
import {
  type BackgroundFrames,
  type CodedFrame,
  type EncodeOptions,
  encodeTrack,
} from "../../edge/compositor/h264/encode-track.ts";
import { type LiveSession, openSession } from "../../edge/compositor/h264/live-session.ts";
import { type Picture, pictureOf, planesOf } from "../../edge/compositor/h264/picture.ts";
import type { SliceMode } from "../../edge/compositor/h264/slice-map.ts";
import type { Track } from "../../edge/compositor/h264/track.ts";
import type { SeededRandom } from "../fuzz/random.ts";

/** A rendition, and what each position of it shows while nobody speaks. */
interface Rendition {
  readonly track: Track;
  readonly shown: readonly Picture[];
}

/** A track of random content, and another rendition of it. */
export interface RandomTrack extends Rendition {
  readonly other: Rendition;
  readonly what: string;
}

/** Textures from what an encoder likes to what it dreads. */
export const TEXTURES = ["waves", "noise", "checkerboard", "bars", "flat"] as const;

/** A picture whose content moves with `n`. */
export function randomPicture(
  random: SeededRandom,
  width: number,
  height: number,
  texture: (typeof TEXTURES)[number],
  n: number,
): Picture {
  const bytes = new Uint8Array((width * height * 3) / 2);
  const picture = pictureOf(bytes, width, height);
  for (const { data, width } of planesOf(picture)) {
    for (let i = 0; i < data.length; i++) {
      const x = i % width;
      const y = Math.floor(i / width);
      if (texture === "noise") data[i] = random.below(256);
      else if (texture === "checkerboard") data[i] = ((x ^ y ^ n) & 1) * 255;
      else if (texture === "bars") data[i] = (((x + 2 * n) >> 3) * 37) & 255;
      else if (texture === "flat") data[i] = 120 + random.below(2);
      else {
        const wave = Math.sin((x + 1.3 * n) / 9) * Math.cos((y - 0.7 * n) / 7);
        data[i] = 128 + 100 * wave + random.below(6);
      }
    }
  }
  return picture;
}

/** Anywhere in the picture: at its edges, all of it, within one macroblock. */
function randomBox(random: SeededRandom, width: number, height: number): Rectangle {
  const side = (length: number): [start: number, size: number] => {
    const size = 1 + random.below(length);
    const free = length - size;
    switch (random.below(5)) {
      case 0:
        return [0, size];
      case 1:
        return [free, size];
      case 2:
        return [0, length];
      case 3: {
        const start = 16 * random.below(Math.ceil(length / 16));
        return [start, Math.min(length - start, 1 + random.below(16))];
      }
      default:
        return [random.below(free + 1), size];
    }
  };
  const [x, w] = side(width);
  const [y, h] = side(height);
  return { x, y, width: w, height: h };
}

/** @param mode null for either */
export async function randomTrack(
  random: SeededRandom,
  frameCount: number,
  mode: SliceMode | null = null,
): Promise<RandomTrack> {
  const width = 2 * (8 + random.below(64));
  const height = 2 * (8 + random.below(64));
  const texture = random.pick(TEXTURES);
  const groupFrames = 4 + random.below(frameCount);
  const boxes = Array.from({ length: frameCount }, () => randomBox(random, width, height));
  const options = {
    framesPerSecond: 25,
    mode: mode ?? random.pick(["band", "box"] as const),
    softEdge: random.below(2) * random.below(20),
    intraQp: 10 + random.below(36),
    interQp: 10 + random.below(36),
    groupFrames,
    keyEveryFrames: random.below(4),
  };
  const pictures = boxes.map((_, n) => randomPicture(random, width, height, texture, n));
  const background: BackgroundFrames = {
    width,
    height,
    order: boxes.map((_, n) => n),
    // Mouths jump from time to time; within a group they mostly stay.
    regionOf: (n) => boxes[n - (n % groupFrames)]!,
    read: async (n) => pictures[n]!,
  };
  const otherOptions = {
    ...options,
    mode: random.pick(["band", "box"] as const),
    interQp: 10 + random.below(36),
    keyEveryFrames: random.below(4),
  };
  const what = JSON.stringify({ width, height, texture, ...options, other: otherOptions });
  const other = await encodeRendition(background, otherOptions);
  return { ...(await encodeRendition(background, options)), other, what };
}

async function encodeRendition(
  background: BackgroundFrames,
  options: EncodeOptions,
): Promise<Rendition> {
  const shown: Picture[] = [];
  const onPicture = (coded: CodedFrame) => shown.push(coded.shown());
  return { track: await encodeTrack(background, { ...options, onPicture }), shown };
}

/** What one frame of a session must look like; null where only decoders can tell. */
export interface Expected {
  readonly bytes: Uint8Array;
  /** Whether the background is known: not behind an IDR variant, after which it is only alike. */
  readonly isExact: boolean;
  /** In macroblocks: D, if this session coded it. */
  readonly live: Rectangle | null;
  readonly picture: Picture;
}

/** Plays a track with speech, silence, key pictures, quantisers and renditions at random. */
export function playRandomly(
  random: SeededRandom,
  { track, shown, other }: RandomTrack,
  frames: number,
): Expected[] {
  const maxCatchUpFrames = random.below(12);
  const session = openSession(track, { startAt: random.below(shown.length), maxCatchUpFrames });
  const renditions: readonly Rendition[] = [{ track, shown }, other];
  let present = renditions[0]!;
  let wanted: Rendition | null = null;
  const played: Expected[] = [];
  let isSpeaking = false;
  let isExact = true;
  for (let n = 0; n < frames; n++) {
    if (random.below(5) === 0) isSpeaking = !isSpeaking;
    if (random.below(3) === 0) session.setQp(10 + random.below(36));
    if (random.below(10) === 0) {
      wanted = random.pick(renditions);
      session.setTrack(wanted.track);
    }
    const { region, position } = session.next;
    const mouth = isSpeaking ? randomMouth(random, region, n) : null;
    const unit = session.nextFrame({ mouth, keyFrame: random.below(6) === 0 });
    const isStart = isGroupStart(track, position);
    // A key picture moves on to the rendition that is wanted, if that has one here.
    if (wanted && (isStart || keyPictureAt(wanted.track, position))) {
      present = wanted;
      wanted = null;
    }
    if (unit.isKeyFrame) {
      isExact = isStart;
    }
    const expected = withLive(present.shown[position]!, session);
    played.push({ bytes: Buffer.concat(unit.parts), isExact, ...expected });
  }
  return played;
}

function randomMouth(random: SeededRandom, { width, height }: Rectangle, n: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3);
  const isNoise = random.below(4) === 0;
  const isBoard = random.below(4) === 0;
  for (let i = 0; i < pixels.length; i++) {
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / 3 / width);
    if (isNoise) pixels[i] = random.below(256);
    else if (isBoard) pixels[i] = ((x ^ y ^ n) & 1) * 255;
    else pixels[i] = 100 + 80 * Math.sin((x - n) / 6) * Math.sin((y + n / 2) / 5 + (i % 3));
  }
  return pixels;
}

function keyPictureAt({ groups }: Track, position: number): boolean {
  return groups.flatMap(({ frames }) => frames)[position]!.keyPicture !== null;
}

function isGroupStart({ groups }: Track, position: number): boolean {
  let start = 0;
  for (const { length } of groups) {
    if (start === position) return true;
    start += length;
  }
  return false;
}

/** The background with what the session has coded of D. */
function withLive(background: Picture, session: LiveSession): Pick<Expected, "live" | "picture"> {
  const { width, height } = background;
  const picture = pictureOf(new Uint8Array((width * height * 3) / 2), width, height);
  const targets = planesOf(picture);
  for (const [plane, { data }] of planesOf(background).entries()) targets[plane]!.data.set(data);
  const coded = session.reconstruction();
  if (!coded) return { live: null, picture };
  const sources = planesOf(coded.picture);
  for (const [plane, target] of targets.entries()) {
    const side = plane === 0 ? 16 : 8;
    const source = sources[plane]!;
    const left = coded.live.x * side;
    const top = coded.live.y * side;
    const count = Math.min(source.width, target.width - left);
    for (let y = 0; y < source.height && top + y < target.height; y++) {
      const row = source.data.subarray(y * source.width, y * source.width + count);
      target.data.set(row, (top + y) * target.width + left);
    }
  }
  return { live: coded.live, picture };
}

/**
 * Compares a decoded picture with what it must be.
 * @param decoded I420; rows may be longer than the picture's, as `stride` says
 */
export function assertShown(
  decoded: Picture,
  { picture, isExact, live }: Expected,
  where: string,
): void {
  const found = planesOf(decoded);
  for (const [plane, { data, width, height }] of planesOf(picture).entries()) {
    const side = plane === 0 ? 16 : 8;
    const other = found[plane]!;
    for (let y = 0; y < height; y++) {
      let from = 0;
      let to = width;
      if (!isExact) {
        if (!live || y < live.y * side || y >= (live.y + live.height) * side) continue;
        from = live.x * side;
        to = Math.min(width, from + live.width * side);
      }
      const expected = data.subarray(y * width + from, y * width + to);
      const row = other.data.subarray(y * other.width + from, y * other.width + to);
      if (Buffer.compare(expected, row) === 0) continue;
      const x = from + expected.findIndex((value, i) => value !== row[i]);
      assert.fail(`${where}: plane ${plane} differs at ${x},${y}`);
    }
  }
}
