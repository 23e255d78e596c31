import { VISEME_COUNT, VISEME_NAMES } from "../../avatar/demo/viseme.ts";
import { ENCODER_ROWS, MEL_BANDS } from "../../avatar/speech-timing.ts";
import type { Example } from "./examples.ts";

/** Mel window, float32 [16, 80], to the six parameters. */
export type Predict = (window: Float32Array) => ArrayLike<number>;

/** Sounds that look alike. */
const CLASSES: Readonly<Record<string, string>> = {
  "open vowels": "aɑɐæʌɒ",
  "spread vowels": "iɪe",
  "rounded vowels, w": "uʊoyw",
  "s z sh zh": "szʃʒ",
  "f v th": "fvθð",
  "m b p": "mbp",
  "other consonants": "tdnlkgɡŋɹrj",
};

/** How well the predictions fit, per parameter and per class of sounds. */
export interface Evaluation {
  readonly windows: number;
  readonly correlation: readonly number[];
  readonly meanError: readonly number[];
  /** Mean prediction per class, and for silence. */
  readonly classes: Readonly<Record<string, readonly number[]>>;
}

/** Runs every window of the examples. */
export function evaluate(predict: Predict, examples: readonly Example[]): Evaluation {
  const sums = Array.from({ length: VISEME_COUNT }, () => new Float64Array(6));
  const classes = new Map<string, { count: number; totals: Float64Array }>();
  let windows = 0;
  for (const { mel, targets, letters, windows: count } of examples) {
    for (let w = 0; w < count; w++) {
      const mouth = predict(mel.subarray(w * MEL_BANDS, (w + ENCODER_ROWS) * MEL_BANDS));
      const target = targets.subarray(w * VISEME_COUNT, (w + 1) * VISEME_COUNT);
      windows++;
      sums.forEach((sum, i) => {
        addPair(sum, mouth[i]!, target[i]!);
      });
      const name = className(letters[w]!, target);
      if (!name) continue;
      const entry = classes.get(name) ?? { count: 0, totals: new Float64Array(VISEME_COUNT) };
      entry.count++;
      for (let i = 0; i < VISEME_COUNT; i++) entry.totals[i] = entry.totals[i]! + mouth[i]!;
      classes.set(name, entry);
    }
  }
  return {
    windows,
    correlation: sums.map((sum) => correlation(sum, windows)),
    meanError: sums.map((sum) => sum[5]! / windows),
    classes: Object.fromEntries(
      [...classes].map(([name, { count, totals }]) => [name, [...totals].map((x) => x / count)]),
    ),
  };
}

/** A table of the evaluation. */
export function describeEvaluation(title: string, evaluation: Evaluation): string {
  const row = (name: string, values: readonly number[]) =>
    `  ${name.padEnd(18)}${values.map((value) => value.toFixed(2).padStart(9)).join("")}`;
  return [
    `${title} (${evaluation.windows} windows)`,
    `  ${"".padEnd(18)}${VISEME_NAMES.map((name) => name.padStart(9)).join("")}`,
    row("correlation", evaluation.correlation),
    row("mean |error|", evaluation.meanError),
    ...[...Object.keys(CLASSES), "silence"].map((name) =>
      row(name, evaluation.classes[name] ?? []),
    ),
  ].join("\n");
}

function className(letter: string, target: Float32Array): string | null {
  // Far enough from speech that nothing of it is due.
  if (letter === "") return target.every((value) => value === 0) ? "silence" : null;
  return Object.keys(CLASSES).find((name) => CLASSES[name]!.includes(letter)) ?? null;
}

/** Sums of x, y, xx, yy, xy and |x - y|. */
function addPair(sum: Float64Array, x: number, y: number): void {
  [x, y, x * x, y * y, x * y, Math.abs(x - y)].forEach((value, i) => {
    sum[i] = sum[i]! + value;
  });
}

function correlation(sum: Float64Array, n: number): number {
  const [x, y, xx, yy, xy] = [sum[0]!, sum[1]!, sum[2]!, sum[3]!, sum[4]!];
  return (n * xy - x * y) / Math.sqrt((n * xx - x * x) * (n * yy - y * y));
}
