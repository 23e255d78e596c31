import { type AccessUnit, openSession } from "../../edge/compositor/h264/live-session.ts";
import type { Track } from "../../edge/compositor/h264/track.ts";
import type { Clip } from "./clips.ts";

/** A loop played once, and what that took. */
export interface Played {
  readonly units: readonly AccessUnit[];
  /** The access units, one behind the other. */
  readonly stream: Uint8Array;
  /** CPU time of one frame, of all threads: a machine that is busy with other things counts little. */
  readonly cpuMs: number;
  /** The slowest frame, by the clock. */
  readonly slowestMs: number;
}

/** Plays a track from its beginning to its end. */
export function play(track: Track, mouths: readonly (Uint8Array | null)[]): Played {
  const session = openSession(track);
  const units: AccessUnit[] = [];
  let slowestMs = 0;
  const before = process.cpuUsage();
  for (const mouth of mouths) {
    const started = performance.now();
    units.push(session.nextFrame({ mouth }));
    slowestMs = Math.max(slowestMs, performance.now() - started);
  }
  const { user, system } = process.cpuUsage(before);
  const stream = Buffer.concat(units.flatMap(({ parts }) => parts));
  return { units, stream, cpuMs: (user + system) / 1000 / mouths.length, slowestMs };
}

/** All mouths of a clip, so that making them is not measured. */
export function mouthsOf(clip: Clip): Uint8Array[] {
  return clip.background.order.map((_, position) => clip.mouthAt(position));
}
