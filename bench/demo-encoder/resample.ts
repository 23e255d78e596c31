/** Zero crossings of the filter on either side; 16 keep the error below -60 dB. */
const CROSSINGS = 16;
/** Table entries per crossing; the nearest one is exact enough to learn from. */
const STEPS = 512;

/**
 * Changes the sample rate with a windowed sinc (Hann), which also removes what
 * the new rate cannot carry.
 * @param ratio new rate over old
 */
export function resample(samples: Float32Array, ratio: number): Float32Array {
  const cutoff = Math.min(1, ratio) * 0.97;
  const reach = CROSSINGS / cutoff;
  const result = new Float32Array(Math.floor(samples.length * ratio));
  for (let i = 0; i < result.length; i++) {
    const centre = i / ratio;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(samples.length - 1, Math.floor(centre + reach));
    let sum = 0;
    for (let n = first; n <= last; n++) {
      sum += samples[n]! * KERNEL[Math.round(Math.abs(centre - n) * cutoff * STEPS)]!;
    }
    result[i] = sum * cutoff;
  }
  return result;
}

/** sin(pi x) / (pi x) under a Hann window, for x from 0 in steps of 1 / STEPS. */
const KERNEL = Float64Array.from({ length: CROSSINGS * STEPS + 1 }, (_, i) => {
  const x = (Math.PI * i) / STEPS;
  return (i === 0 ? 1 : Math.sin(x) / x) * (0.5 + 0.5 * Math.cos(x / CROSSINGS));
});
