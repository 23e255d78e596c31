import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { mouthRegion } from "../../avatar/manifest.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import type { MouthRegion } from "../core/core-client.ts";
import { WEIGHT_STEPS } from "./mouth-weight.ts";

/** The background's own pixels under a mouth, 8-bit RGB [height, width, 3] of its region. */
export type OwnMouth = (backgroundIndex: number) => Promise<Uint8Array>;

/** A mouth, and how much of it is to be seen. */
export interface WeighedMouth {
  readonly mouth: MouthRegion;
  /** In quarters: 1 to WEIGHT_STEPS. */
  readonly weight: number;
}

/**
 * The mouth as a frame is to show it: whole as it came, otherwise mixed with
 * the background's own, so that speech begins and ends without a jump. One
 * that was made for another position is fitted to this one's region.
 * @throws AvatarError, ImageError when the background's mouth cannot be read
 */
export async function blendMouth(
  { mouth, weight }: WeighedMouth,
  avatar: PublishedAvatar,
  position: number,
  ownMouth: OwnMouth,
): Promise<MouthRegion> {
  const index = backgroundIndex(position, avatar.summary.frameCount);
  const isHere = mouth.backgroundIndex === index;
  if (isHere && weight === WEIGHT_STEPS) return mouth;
  const region = isHere ? mouth.region : mouthRegion(avatar.manifest, index);
  const own = await ownMouth(index);
  const pixels = fit(mouth, region);
  for (let i = 0; i < pixels.length; i++) {
    const mixed = pixels[i]! * weight + own[i]! * (WEIGHT_STEPS - weight);
    pixels[i] = (mixed + WEIGHT_STEPS / 2) / WEIGHT_STEPS;
  }
  return { ...mouth, backgroundIndex: index, region, pixels };
}

/** A copy of the pixels in another size, by nearest neighbour: sizes differ by a pixel or two. */
function fit(
  { region, pixels }: MouthRegion,
  to: { readonly width: number; readonly height: number },
): Uint8Array<ArrayBuffer> {
  if (region.width === to.width && region.height === to.height) return Uint8Array.from(pixels);
  const fitted = new Uint8Array(3 * to.width * to.height);
  for (let y = 0; y < to.height; y++) {
    const row = Math.floor((y * region.height) / to.height) * region.width;
    for (let x = 0; x < to.width; x++) {
      const from = 3 * (row + Math.floor((x * region.width) / to.width));
      fitted.set(pixels.subarray(from, from + 3), 3 * (y * to.width + x));
    }
  }
  return fitted;
}
