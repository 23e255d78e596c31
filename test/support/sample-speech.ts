import { readFile } from "node:fs/promises";

const WAV_HEADER_BYTES = 44;

/** The demo's sentence: 16-bit mono at 16 kHz, 11 s. */
export async function sampleSpeech(): Promise<Int16Array<ArrayBuffer>> {
  const file = await readFile(new URL("../../avatar/demo/sample.wav", import.meta.url));
  const bytes = new Uint8Array(file).slice(WAV_HEADER_BYTES);
  return new Int16Array(bytes.buffer, 0, Math.floor(bytes.length / 2));
}

/** How alike `a` is to `b` when `a` is late by `delay` samples: 1 is equal but for loudness. */
export function likeness(a: ArrayLike<number>, b: ArrayLike<number>, delay: number): number {
  let [product, aa, bb] = [0, 0, 0];
  for (let n = 0; n < b.length && n + delay < a.length; n++) {
    const [x, y] = [a[n + delay] ?? 0, b[n]!];
    product += x * y;
    aa += x * x;
    bb += y * y;
  }
  return product / Math.sqrt(aa * bb || 1);
}

/** The delay, in samples, at which `a` is most like `b`. */
export function delayOf(a: ArrayLike<number>, b: ArrayLike<number>, range: number): number {
  let [best, most] = [0, -1];
  for (let delay = -range; delay <= range; delay++) {
    const found = likeness(a, b, delay);
    if (found > most) [best, most] = [delay, found];
  }
  return best;
}
