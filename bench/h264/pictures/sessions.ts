import { encodeTrack } from "../../../edge/compositor/h264/encode-track.ts";
import { type AccessUnit, openSession } from "../../../edge/compositor/h264/live-session.ts";
import type { Picture } from "../../../edge/compositor/h264/picture.ts";
import { PictureConverter } from "../../../edge/compositor/h264/rgb-to-picture.ts";
import type { SliceMode } from "../../../edge/compositor/h264/slice-map.ts";
import type { Track } from "../../../edge/compositor/h264/track.ts";
import { composite } from "../../../test/support/composite.ts";
import type { DemoScene } from "./demo-scene.ts";

/** Who watches the demo avatar sees this: positions from 0 on. */
export interface Session {
  readonly track: Track;
  readonly units: readonly AccessUnit[];
}

export interface Script {
  readonly mode: SliceMode;
  readonly intraQp: number;
  readonly interQp: number;
  /** Frames that are shown, and those of a group of pictures. */
  readonly frames: number;
  readonly groupFrames: number;
  /** Positions in which a key picture is asked for. */
  readonly keyAt?: readonly number[];
}

/** Codes the background, and plays it with the scene's speech. */
export async function playScene(scene: DemoScene, script: Script): Promise<Session> {
  const { mode, intraQp, interQp, frames, groupFrames, keyAt = [] } = script;
  const { framesPerSecond } = scene;
  const settings = { framesPerSecond, mode, intraQp, interQp, groupFrames };
  const track = await encodeTrack(scene.background(frames), settings);
  const session = openSession(track);
  const units = Array.from({ length: frames }, (_, position) =>
    session.nextFrame({ mouth: mouthAt(scene, position), keyFrame: keyAt.includes(position) }),
  );
  return { track, units };
}

/** The picture that is coded at a position, as it was before. */
export function uncoded(scene: DemoScene, position: number): Picture {
  const frame = scene.background(position + 1).order[position]!;
  const image = scene.images[frame]!;
  const mouth = mouthAt(scene, position);
  const converter = new PictureConverter();
  if (!mouth) return converter.convert(image);
  const background = { ...image, channels: 3 } as const;
  return converter.convert({
    ...image,
    data: composite(background, scene.regions[frame]!, mouth, 0),
  });
}

function mouthAt({ start, mouths }: DemoScene, position: number): Uint8Array | null {
  return mouths[position - start] ?? null;
}
