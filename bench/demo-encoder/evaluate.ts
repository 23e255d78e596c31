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
  /** Mean prediction and mean target per class, and for silence. */
  readonly classes: Readonly<Record<string, { mouth: number[]; target: number[] }>>;
}

/** Runs every window of the examples. */
export function evaluate(predict: Predict, examples: readonly Example[]): Evaluation {
  const sums = Array.from({ length: VISEME_COUNT }, () => new Float64Array(6));
  const classes = new Map<string, ClassSums>();
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
      const entry = classes.get(name) ?? newClassSums();
      entry.count++;
      for (let i = 0; i < VISEME_COUNT; i++) {
        entry.mouth[i] = entry.mouth[i]! + mouth[i]!;
        entry.target[i] = entry.target[i]! + target[i]!;
      }
      classes.set(name, entry);
    }
  }
  return {
    windows,
    correlation: sums.map((sum) => correlation(sum, windows)),
    meanError: sums.map((sum) => sum[5]! / windows),
    classes: Object.fromEntries(
      [...classes].map(([name, { count, mouth, target }]) => [
        name,
        { mouth: mouth.map((x) => x / count), target: target.map((x) => x / count) },
      ]),
    ),
  };
}

/** A table of the evaluation; classes as mean prediction / mean target. */
export function describeEvaluation(title: string, evaluation: Evaluation): string {
  const row = (name: string, values: readonly (number | string)[]) =>
    `  ${name.padEnd(18)}${values.map((value) => show(value).padStart(11)).join("")}`;
  return [
    `${title} (${evaluation.windows} windows)`,
    row("", VISEME_NAMES),
    row("correlation", evaluation.correlation),
    row("mean |error|", evaluation.meanError),
    ...[...Object.keys(CLASSES), "silence"].map((name) => {
      const { mouth = [], target = [] } = evaluation.classes[name] ?? {};
      return row(
        name,
        mouth.map((value, i) => `${show(value)}/${show(target[i]!)}`),
      );
    }),
  ].join("\n");
}

function show(value: number | string): string {
  return typeof value === "number" ? value.toFixed(2) : value;
}

interface ClassSums {
  count: number;
  readonly mouth: number[];
  readonly target: number[];
}

function newClassSums(): ClassSums {
  return {
    count: 0,
    mouth: new Array<number>(VISEME_COUNT).fill(0),
    target: new Array<number>(VISEME_COUNT).fill(0),
  };
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
