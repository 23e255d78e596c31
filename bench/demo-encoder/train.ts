/**
 * Trains the demo avatar's audio encoder and writes avatar/demo/encoder-weights.ts:
 *
 *   npx node bench/demo-encoder/train.ts [--epochs N] [--seed N]
 *
 * Needs espeak-ng and python3, which speak the material; about a quarter of an
 * hour on one core. Not needed to run mouthpiece.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { ENCODER_LAYERS, INPUT_CENTRE, INPUT_SCALE } from "../../avatar/demo/encoder.ts";
import { VISEME_COUNT } from "../../avatar/demo/viseme.ts";
import { ENCODER_ROWS, MEL_BANDS } from "../../avatar/speech-timing.ts";
import { addNoise, level } from "./augment.ts";
import { HELD_OUT_SENTENCES, HELD_OUT_VOICES, randomOrder } from "./corpus.ts";
import { describeEvaluation, evaluate, type Predict } from "./evaluate.ts";
import { type Example, nonSpeechExample, randomAlteration, speechExample } from "./examples.ts";
import { Network } from "./network.ts";
import { quantise, weightsModule } from "./quantise.ts";
import { Random } from "./random.ts";
import { speak } from "./speak.ts";

const UTTERANCES_PER_EPOCH = 800;
const NOISES_PER_EPOCH = 90;
/** Windows overlap by 15 of 16 rows: each epoch sees a random part of them. */
const SHARE_OF_WINDOWS = 0.4;
const BATCH = 64;
const FIRST_RATE = 2e-3;
const LAST_RATE = 2e-5;
const WEIGHT_DECAY = 0.01;
/** In the order of `VISEME`: a wrong jaw is seen first. */
const LOSS_WEIGHTS = Float32Array.of(2, 1, 1.2, 1, 0.7, 2);

const { values: options } = parseArgs({
  options: {
    epochs: { type: "string", default: "8" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "avatar/demo/encoder-weights.ts" },
  },
});
const epochs = Number(options.epochs);
const random = new Random(Number(options.seed));
const network = new Network(ENCODER_LAYERS, ENCODER_ROWS, random);

for (let epoch = 0; epoch < epochs; epoch++) {
  const loss = trainEpoch(await epochExamples(), epoch);
  console.log(`epoch ${epoch + 1} of ${epochs}: loss ${loss.toFixed(4)}`);
}

const layers = quantise(network);
await writeFile(options.out, weightsModule(layers));
// What is judged is what was written: the quantised weights.
network.layers.forEach((layer, i) => {
  layer.weights.values.set(layers[i]!.weights);
  layer.bias.values.set(layers[i]!.bias);
});
const predict: Predict = (window) => network.forward(normalise(window));
for (const [title, decibels] of [
  ["held-out voices and sentences", null],
  ["the same, noise at 20 dB", 20],
  ["the same, noise at 10 dB", 10],
] as const) {
  console.log(describeEvaluation(title, evaluate(predict, await heldOut(decibels))));
}

async function epochExamples(): Promise<Example[]> {
  const orders = Array.from({ length: UTTERANCES_PER_EPOCH }, () => randomOrder(random));
  const examples: Example[] = [];
  for await (const utterance of speak(orders)) {
    if (utterance.samples.length === 0) continue;
    examples.push(speechExample(utterance, randomAlteration(random)));
  }
  for (let i = 0; i < NOISES_PER_EPOCH; i++) {
    examples.push(nonSpeechExample(random.between(2, 5), random));
  }
  return examples;
}

async function heldOut(decibels: number | null): Promise<Example[]> {
  const noise = new Random(99);
  const orders = HELD_OUT_VOICES.flatMap((voice, v) =>
    HELD_OUT_SENTENCES.map((text, i) => ({ voice, rate: 140 + 10 * i, pitch: 40 + 5 * v, text })),
  );
  const examples: Example[] = [];
  for await (const utterance of speak(orders)) {
    const treat = (samples: Float32Array) => {
      if (decibels !== null) addNoise(samples, level(samples) * 10 ** (-decibels / 20), noise);
    };
    examples.push(speechExample(utterance, { speed: 1, marginSeconds: [0.4, 0.4], treat }));
  }
  return examples;
}

function trainEpoch(examples: readonly Example[], epoch: number): number {
  const order = shuffledWindows(examples);
  let loss = 0;
  for (let i = 0; i < order.length; i++) {
    const { mel, targets } = examples[order[i]! >>> 16]!;
    const window = order[i]! & 0xffff;
    const input = normalise(mel.subarray(window * MEL_BANDS, (window + ENCODER_ROWS) * MEL_BANDS));
    const target = targets.subarray(window * VISEME_COUNT, (window + 1) * VISEME_COUNT);
    const mouth = network.forward(input);
    for (let p = 0; p < VISEME_COUNT; p++) loss += Math.abs(mouth[p]! - target[p]!) / VISEME_COUNT;
    network.backward(input, target, LOSS_WEIGHTS);
    if ((i + 1) % BATCH === 0) {
      const progress = (epoch + i / order.length) / epochs;
      const cosine = 0.5 + 0.5 * Math.cos(Math.PI * progress);
      network.update(LAST_RATE + (FIRST_RATE - LAST_RATE) * cosine, WEIGHT_DECAY);
    }
  }
  return loss / order.length;
}

/** Example in the upper 16 bits, window in the lower. */
function shuffledWindows(examples: readonly Example[]): Uint32Array {
  const chosen: number[] = [];
  examples.forEach(({ windows }, example) => {
    for (let w = 0; w < Math.min(windows, 0xffff); w++) {
      if (random.chance(SHARE_OF_WINDOWS)) chosen.push(((example << 16) | w) >>> 0);
    }
  });
  const order = Uint32Array.from(chosen);
  random.shuffle(order);
  return order;
}

function normalise(window: Float32Array): Float32Array {
  return window.map((value) => (value - INPUT_CENTRE) * INPUT_SCALE);
}
