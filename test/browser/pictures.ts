import { readAvatar } from "../../avatar/catalogue.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import { mouthRegion } from "../../avatar/manifest.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";

/** The part of the frame in which the mouth moves, whatever the head does: the middle of all rectangles. */
export async function mouthRectangle(root: string): Promise<Rectangle> {
  const { manifest } = await readAvatar(createFolderStore(root), "demo");
  const regions = Array.from({ length: manifest.frameCount }, (_, n) => mouthRegion(manifest, n));
  const mean = (side: keyof Rectangle) =>
    Math.round(regions.reduce((sum, region) => sum + region[side], 0) / regions.length);
  const [x, y, width, height] = [mean("x"), mean("y"), mean("width"), mean("height")];
  return {
    x: x + Math.round(width / 4),
    y: y + Math.round(height / 4),
    width: Math.round(width / 2),
    height: Math.round(height / 2),
  };
}

/** In the page: the frame of speech that is shown, and the idle frame of the same index. */
export async function spokenAndIdle(): Promise<string[] | null> {
  const canvas = document.getElementById("canvas") as HTMLCanvasElement;
  const { frameTime, background } = document.getElementById("stage")!.dataset;
  if (!frameTime) return null;
  const spoken = canvas.toDataURL();
  const response = await fetch(`/v1/avatars/demo/frames/${background}.jpg`);
  const image = await createImageBitmap(await response.blob());
  const other = document.createElement("canvas");
  other.width = canvas.width;
  other.height = canvas.height;
  other.getContext("2d")!.drawImage(image, 0, 0);
  return [spoken, other.toDataURL()];
}

export function whole({ width, height }: RgbaImage): Rectangle {
  return { x: 0, y: 0, width, height };
}

/** `area` times `factor` about its middle. */
export function grown({ x, y, width, height }: Rectangle, factor: number): Rectangle {
  const margin = (side: number) => Math.round((side * (factor - 1)) / 2);
  const [right, below] = [margin(width), margin(height)];
  return { x: x - right, y: y - below, width: width + 2 * right, height: height + 2 * below };
}

/** By how much the mean of each channel moves from `from` to `to`, `except` left out. */
export function shifts(to: RgbaImage, from: RgbaImage, except: Rectangle): number[] {
  const sums = [0, 0, 0];
  let count = 0;
  for (let y = 0; y < from.height; y++) {
    const crosses = y >= except.y && y < except.y + except.height;
    for (let x = 0; x < from.width; x++) {
      if (crosses && x >= except.x && x < except.x + except.width) continue;
      const i = 4 * (y * from.width + x);
      for (let c = 0; c < 3; c++) sums[c]! += to.data[i + c]! - from.data[i + c]!;
      count++;
    }
  }
  return sums.map((sum) => sum / count);
}

export function darkPixels({ data, width }: RgbaImage, area: Rectangle): number {
  let count = 0;
  for (let y = area.y; y < area.y + area.height; y++) {
    for (let x = area.x; x < area.x + area.width; x++) {
      const i = 4 * (y * width + x);
      if (data[i]! + data[i + 1]! + data[i + 2]! < 240) count++;
    }
  }
  return count;
}

export function meanDifference(
  a: RgbaImage,
  b: RgbaImage,
  area: Rectangle,
  except: Rectangle = { x: -1, y: -1, width: 0, height: 0 },
): number {
  let sum = 0;
  let count = 0;
  for (let y = area.y; y < area.y + area.height; y++) {
    for (let x = area.x; x < area.x + area.width; x++) {
      const isExcepted =
        x >= except.x &&
        x < except.x + except.width &&
        y >= except.y &&
        y < except.y + except.height;
      if (isExcepted) continue;
      const i = 4 * (y * a.width + x);
      for (let channel = 0; channel < 3; channel++) {
        sum += Math.abs(a.data[i + channel]! - b.data[i + channel]!);
      }
      count += 3;
    }
  }
  return sum / count;
}
