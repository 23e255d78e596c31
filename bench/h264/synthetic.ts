import { encodeTrack } from "../../edge/compositor/h264/encode-track.ts";
import { openSession } from "../../edge/compositor/h264/live-session.ts";
import { pictureOf, planesOf } from "../../edge/compositor/h264/picture.ts";
import type { SliceMode } from "../../edge/compositor/h264/slice-map.ts";

const WIDTH = 720;
const HEIGHT = 320;
const FRAMES = 10;
const REGION = { x: 260, y: 60, width: 200, height: 200 };

/**
 * A loop that needs neither files nor an avatar, and somebody who speaks in it:
 * for runtimes that have no files. Its times say something beside each other only.
 * @returns plays so many frames
 */
export async function speakSynthetically(mode: SliceMode): Promise<(frames: number) => number> {
  const order = Array.from({ length: FRAMES }, (_, n) => n);
  const track = await encodeTrack(
    { width: WIDTH, height: HEIGHT, order, regionOf: () => REGION, read: async (n) => draw(n) },
    { framesPerSecond: 25, mode },
  );
  const mouths = order.map(drawMouth);
  const session = openSession(track);
  let n = 0;
  return (frames) => {
    let bytes = 0;
    for (let i = 0; i < frames; i++) {
      const { parts } = session.nextFrame({ mouth: mouths[n++ % FRAMES]! });
      for (const part of parts) bytes += part.length;
    }
    return bytes;
  };
}

function draw(n: number) {
  const bytes = new Uint8Array((WIDTH * HEIGHT * 3) / 2);
  const picture = pictureOf(bytes, WIDTH, HEIGHT);
  let noise = n + 1;
  for (const { data, width } of planesOf(picture)) {
    for (let i = 0; i < data.length; i++) {
      noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) | 0;
      const [x, y] = [i % width, Math.floor(i / width)];
      data[i] = 128 + 60 * Math.sin((x + n) / 23) * Math.cos((y - n / 2) / 17) + (noise >>> 30);
    }
  }
  return picture;
}

function drawMouth(n: number): Uint8Array {
  const pixels = new Uint8Array(REGION.width * REGION.height * 3);
  for (let i = 0; i < pixels.length; i++) {
    const x = Math.floor(i / 3) % REGION.width;
    const y = Math.floor(i / 3 / REGION.width);
    const opening = 60 + 30 * Math.sin(n * 1.3);
    const isInside = Math.hypot((x - 100) / 1.6, y - 100) < opening;
    pixels[i] = isInside ? 40 + 20 * Math.sin((x + 2 * n) / 5) : 150 + 30 * Math.sin((x + y) / 14);
  }
  return pixels;
}
