import type { SeededRandom } from "../../test/fuzz/random.ts";

/** Draws the n-th id with a probability of 1/n. */
export function zipf(ids: readonly string[], random: SeededRandom): () => string {
  const sums: number[] = [];
  let sum = 0;
  for (let n = 1; n <= ids.length; n++) {
    sum += 1 / n;
    sums.push(sum);
  }
  return () => {
    const at = random.unit() * sum;
    let [low, high] = [0, ids.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return ids[low]!;
  };
}
