/**
 * Writes test/vectors/demo-encoder-windows.json: mel windows of single sounds,
 * spoken by voices that the encoder was not trained on.
 *
 *   npx node bench/demo-encoder/make-vectors.ts
 *
 * Needs espeak-ng and python3.
 */
import { writeFile } from "node:fs/promises";
import { ENCODER_ROWS, MEL_BANDS } from "../../avatar/speech-timing.ts";
import { addNoise } from "./augment.ts";
import { type Example, speechExample } from "./examples.ts";
import { Random } from "./random.ts";
import { speak } from "./speak.ts";

const SOUNDS = [
  { sound: "a", letter: "ɑ", text: "The father of the car." },
  { sound: "i", letter: "i", text: "We see the sea." },
  { sound: "u", letter: "u", text: "Who is who?" },
  { sound: "s", letter: "s", text: "Passing the glass house." },
  { sound: "m", letter: "m", text: "My mum hums. Hmm." },
] as const;
const VOICES = ["en-us+m7", "en-us+f5"];

const orders = SOUNDS.flatMap(({ text }) =>
  VOICES.map((voice) => ({ voice, rate: 150, pitch: 50, text })),
);
const vectors: { sound: string; source: string; mel: string }[] = [];
let index = 0;
for await (const utterance of speak(orders)) {
  const { sound, letter, text } = SOUNDS[Math.floor(index / VOICES.length)]!;
  const example = speechExample(utterance, {
    speed: 1,
    marginSeconds: [0.4, 0.4],
    treat: () => undefined,
  });
  const source = `${orders[index]!.voice}: ${text}`;
  vectors.push({ sound, source, mel: encode(example, middleOfLongest(example, letter)) });
  index++;
}
for (const decibels of [-66, -54]) {
  const example = speechExample(
    { samples: new Float32Array(8000), sampleRate: 16000, phonemes: [] },
    {
      speed: 1,
      marginSeconds: [0, 0],
      treat: (samples) => addNoise(samples, 10 ** (decibels / 20), new Random(5)),
    },
  );
  vectors.push({ sound: "silence", source: `noise at ${decibels} dBFS`, mel: encode(example, 8) });
}
await writeFile(
  "test/vectors/demo-encoder-windows.json",
  `${JSON.stringify(
    {
      format: "mel [16 rows, 80 bands], a byte each: 0 is -4, 255 is 4; base64",
      windows: vectors,
    },
    null,
    2,
  )}\n`,
);

/** Middle of the longest stretch where the letter sounds. */
function middleOfLongest({ letters, windows }: Example, letter: string): number {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < windows; start++) {
    let length = 0;
    while (letters[start + length] === letter) length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length === 0) throw new Error(`the voice does not say ${letter}`);
  return best.start + (best.length >> 1);
}

function encode({ mel }: Example, window: number): string {
  const rows = mel.subarray(window * MEL_BANDS, (window + ENCODER_ROWS) * MEL_BANDS);
  return Buffer.from(Array.from(rows, (value) => Math.round(((value + 4) * 255) / 8))).toString(
    "base64",
  );
}
