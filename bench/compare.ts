/** One way to do a thing, to be compared with others. */
export interface Candidate {
  readonly name: string;
  /** Does it once. @returns the bytes that it made */
  readonly run: () => number | Promise<number>;
}

export interface Measured {
  readonly name: string;
  /** Median time of one run, in milliseconds. */
  readonly ms: number;
  readonly bytes: number;
}

const ROUNDS = 9;
const LEAST_MS_PER_ROUND = 60;
const WARM_UP_MS = 250;

/**
 * Measures candidates side by side: in each round all of them, one after the
 * other, so that a machine that slows down slows all of them.
 */
export async function compare(candidates: readonly Candidate[]): Promise<Measured[]> {
  const samples = candidates.map((): number[] => []);
  const bytes: number[] = [];
  const repeats: number[] = [];
  for (const [n, { run }] of candidates.entries()) {
    const started = performance.now();
    let runs = 0;
    let elapsed = 0;
    while (elapsed < WARM_UP_MS || runs < 2) {
      bytes[n] = await run();
      runs++;
      elapsed = performance.now() - started;
    }
    repeats[n] = Math.max(1, Math.round((LEAST_MS_PER_ROUND * runs) / elapsed));
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [n, { run }] of candidates.entries()) {
      const started = performance.now();
      for (let i = 0; i < repeats[n]!; i++) await run();
      samples[n]!.push((performance.now() - started) / repeats[n]!);
    }
  }
  return candidates.map(({ name }, n) => ({
    name,
    ms: median(samples[n]!),
    bytes: bytes[n]!,
  }));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

export function round(value: number, digits = 3): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
