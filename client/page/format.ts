/** `1.4 Mbit/s`, `812 kbit/s`; a dash before anything has come. */
export function bitRate(bitsPerSecond: number): string {
  if (bitsPerSecond <= 0) return "-";
  if (bitsPerSecond < 999_500) return `${Math.round(bitsPerSecond / 1000)} kbit/s`;
  return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
}

/** `38 ms`; a dash where it is not known. */
export function milliseconds(value: number | null): string {
  return value === null ? "-" : `${Math.round(value)} ms`;
}
