import type { Group, Track, TrackFrame } from "./track.ts";

/** Walks the loop of a track, position by position. */
export class Playhead {
  #track: Track;
  #groupIndex = 0;
  #index = 0;

  /**
   * @param startAt position to begin at; the last key picture that is not after it is taken
   * @throws RangeError when the loop is empty or shorter
   */
  constructor(track: Track, startAt: number) {
    this.#track = track;
    let left = startAt;
    for (const [n, group] of track.groups.entries()) {
      if (left >= group.length) {
        left -= group.length;
        continue;
      }
      while (left > 0 && group.frames[left]!.keyPicture === null) left--;
      this.#groupIndex = n;
      this.#index = left;
      return;
    }
    throw new RangeError(`position ${startAt} is beyond the end of the loop`);
  }

  get track(): Track {
    return this.#track;
  }

  get group(): Group {
    return this.#track.groups[this.#groupIndex]!;
  }

  /** Of the frame within its group. */
  get index(): number {
    return this.#index;
  }

  get frame(): TrackFrame {
    return this.frameOf(this.#track);
  }

  /** The same in another rendition of the loop. */
  frameOf(track: Track): TrackFrame {
    return track.groups[this.#groupIndex]!.frames[this.#index]!;
  }

  /** From the beginning of the loop. */
  get position(): number {
    const before = this.#track.groups.slice(0, this.#groupIndex);
    return before.reduce((sum, { length }) => sum + length, this.#index);
  }

  advance(): void {
    const { groups } = this.#track;
    if (++this.#index < this.group.length) return;
    this.#index = 0;
    this.#groupIndex = (this.#groupIndex + 1) % groups.length;
  }

  /**
   * Stays where it is, in another rendition of the loop.
   * @throws RangeError when it is one of another loop
   */
  setTrack(track: Track): void {
    if (!isSameLoop(track, this.#track)) {
      throw new RangeError("a session can only move between renditions of one background");
    }
    this.#track = track;
  }
}

/** Whether two tracks show frames of the same size, in groups of the same lengths. */
export function isSameLoop(a: Track, b: Track): boolean {
  const isSameFormat =
    a.format.width === b.format.width &&
    a.format.height === b.format.height &&
    a.format.framesPerSecond === b.format.framesPerSecond;
  return (
    isSameFormat &&
    a.groups.length === b.groups.length &&
    a.groups.every(({ length }, n) => length === b.groups[n]!.length)
  );
}
