import { encodeTrack } from "../../edge/compositor/h264/encode-track.ts";
import { openSession } from "../../edge/compositor/h264/live-session.ts";
import { pictureOf, planesOf } from "../../edge/compositor/h264/picture.ts";
import type { Track } from "../../edge/compositor/h264/track.ts";
import type { Mp4Picture, Mp4Sink } from "../../edge/container/mp4-input.ts";
import type { SeededRandom } from "../fuzz/random.ts";

const FRAME_MS = 40;
const SAMPLES_PER_MS = 16;

/** Plays a track with a mouth of noise now and then, and key pictures where they are asked for. */
export function playTrack(
  random: SeededRandom,
  track: Track,
  { frames, preRoll = 0, startAt = 0 }: { frames: number; preRoll?: number; startAt?: number },
): Mp4Picture[] {
  const session = openSession(track, { startAt });
  return Array.from({ length: preRoll + frames }, (_, n) => {
    const { width, height } = session.next.region;
    const mouth = random.below(2) === 0 ? null : new Uint8Array(width * height * 3);
    for (let i = 0; mouth && i < mouth.length; i++) mouth[i] = random.below(256);
    const { parts, isKeyFrame } = session.nextFrame({ mouth, keyFrame: random.below(12) === 0 });
    return { parts, isKeyFrame, timestampMs: (n - preRoll) * FRAME_MS };
  });
}

/** A film that is black and silent but for white pictures, with a tone each for as long as they last. */
export async function flashFilm({
  frames,
  preRoll,
  flashes,
  lastsFrames = 5,
  noise = null,
}: {
  readonly frames: number;
  /** These are grey: whoever sees one sees what is not to be shown. */
  readonly preRoll: number;
  /** Frames, counted without the pre-roll. */
  readonly flashes: readonly number[];
  readonly lastsFrames?: number;
  /** For a mouth that takes bits, as films do. */
  readonly noise?: SeededRandom | null;
}) {
  const [width, height] = [320, 192];
  const isWhite = (n: number) => flashes.some((at) => n >= at && n < at + lastsFrames);
  const order = Array.from({ length: preRoll + frames }, (_, n) => n);
  const background = {
    width,
    height,
    order,
    regionOf: () => ({ x: 128, y: 128, width: 48, height: 32 }),
    read: async (n: number) => {
      const picture = pictureOf(new Uint8Array((width * height * 3) / 2).fill(128), width, height);
      const [luma] = planesOf(picture);
      luma!.data.fill(n < preRoll ? 128 : isWhite(n - preRoll) ? 235 : 16);
      return picture;
    },
  };
  const track = await encodeTrack(background, { framesPerSecond: 25, groupFrames: 50 });
  const session = openSession(track);
  const pictures: Mp4Picture[] = order.map((n) => {
    const mouth = noise && Uint8Array.from({ length: 48 * 32 * 3 }, () => noise.below(256));
    const { parts, isKeyFrame } = session.nextFrame({ mouth });
    return { parts, isKeyFrame, timestampMs: (n - preRoll) * FRAME_MS };
  });
  const speech = new Int16Array(frames * FRAME_MS * SAMPLES_PER_MS);
  for (const at of flashes) {
    const start = at * FRAME_MS * SAMPLES_PER_MS;
    const count = lastsFrames * FRAME_MS * SAMPLES_PER_MS;
    for (let n = 0; n < count; n++) speech[start + n] = 12_000 * Math.sin((2 * Math.PI * n) / 40);
  }
  return { width, height, pictures, speech };
}

export function annexB(pictures: readonly Mp4Picture[]): Buffer {
  return Buffer.concat(pictures.flatMap(({ parts }) => parts));
}

export async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

/** Speech in pieces of `samples`. */
export function* pieces(speech: Int16Array, samples: number): Generator<Int16Array> {
  for (let at = 0; at < speech.length; at += samples) yield speech.subarray(at, at + samples);
}

/** A file in memory. */
export class MemorySink implements Mp4Sink {
  #bytes = new Uint8Array(0);

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  async write(data: Uint8Array, position: number): Promise<void> {
    if (position + data.length > this.#bytes.length) {
      const larger = new Uint8Array(position + data.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(data, position);
  }
}
