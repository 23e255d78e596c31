import { AvatarError } from "../avatar-error.ts";
import { ENCODER_ROWS, FEATURE_ROWS_PER_FRAME, FEATURE_SIZE, MEL_BANDS } from "../speech-timing.ts";
import { describeTensor, inspectModel, type TensorInfo } from "./inspect.ts";

/** Names of a U-Net's tensors; exports differ in them. */
export interface UnetTensors {
  /** float32 [n,6,320,320] */
  readonly visual: string;
  /** float32 [n,32,16,16] */
  readonly audio: string;
  /** float32 [n,3,320,320] */
  readonly output: string;
}

/** Names of an audio encoder's tensors. */
export interface AudioEncoderTensors {
  /** float32 [n,1,80,16] */
  readonly input: string;
  /** float32 [n,512] */
  readonly output: string;
}

interface Expected {
  /** As errors call it. */
  readonly label: string;
  /** Shape behind the batch dimension. */
  readonly shape: readonly number[];
}

const MODEL_SIZE = 320;
const VISUAL: Expected = { label: "visual input", shape: [6, MODEL_SIZE, MODEL_SIZE] };
const AUDIO: Expected = {
  label: "audio input",
  // 16 rows of 512 features, seen as 32 planes.
  shape: [32, FEATURE_ROWS_PER_FRAME, (FEATURE_SIZE * FEATURE_ROWS_PER_FRAME) / 32 / 16],
};
const PICTURE: Expected = { label: "output", shape: [3, MODEL_SIZE, MODEL_SIZE] };
const MEL: Expected = { label: "mel input", shape: [1, MEL_BANDS, ENCODER_ROWS] };
const FEATURES: Expected = { label: "feature output", shape: [FEATURE_SIZE] };

/**
 * Checks that a file is a lip-sync U-Net of SyncTalk_2D's form (328).
 * @param source Named in errors.
 * @throws AvatarError `invalid_source` saying which tensor is wrong, what it is and what it should be.
 */
export function checkUnet(bytes: Uint8Array, source = "the U-Net"): UnetTensors {
  const { inputs, outputs } = inspectModel(bytes, source);
  const [first, second] = expectCount(inputs, 2, source) as [TensorInfo, TensorInfo];
  const straight = fits(first, VISUAL) && fits(second, AUDIO);
  const swapped = fits(second, VISUAL) && fits(first, AUDIO);
  const output = findOutput(outputs, PICTURE, source);
  // Exports with every dimension dynamic fit both ways; then only the names tell.
  const byName = /audio/i.test(first.name) && !/audio/i.test(second.name);
  if (straight && !(swapped && byName)) {
    return { visual: first.name, audio: second.name, output };
  }
  if (swapped) return { visual: second.name, audio: first.name, output };
  // Blame the input that is left over when the other one is right.
  const isRight = (info: TensorInfo) => fits(info, VISUAL) || fits(info, AUDIO);
  if (isRight(first) === isRight(second)) {
    throw wrong(source, inputs, [VISUAL, AUDIO]);
  }
  const right = isRight(first) ? first : second;
  const other = right === first ? second : first;
  throw wrong(source, [other], [fits(right, VISUAL) ? AUDIO : VISUAL]);
}

/**
 * Checks that a file is an audio encoder of SyncTalk_2D's form ("ave").
 * @param source Named in errors.
 * @throws AvatarError `invalid_source` saying which tensor is wrong, what it is and what it should be.
 */
export function checkAudioEncoder(
  bytes: Uint8Array,
  source = "the audio encoder",
): AudioEncoderTensors {
  const { inputs, outputs } = inspectModel(bytes, source);
  const [input] = expectCount(inputs, 1, source) as [TensorInfo];
  if (!fits(input, MEL)) throw wrong(source, [input], [MEL]);
  return { input: input.name, output: findOutput(outputs, FEATURES, source) };
}

function expectCount(inputs: readonly TensorInfo[], count: number, source: string) {
  if (inputs.length === count) return inputs;
  const seen = inputs.map(describe).join(", ") || "none";
  throw new AvatarError(
    "invalid_source",
    `${source}: it has ${inputs.length} inputs (${seen}), expected ${count}`,
  );
}

/** The output that fits; others, such as hidden states, do no harm. */
function findOutput(outputs: readonly TensorInfo[], expected: Expected, source: string): string {
  const found = outputs.find((info) => fits(info, expected));
  if (found) return found.name;
  throw wrong(source, outputs, [expected]);
}

/** Undeclared sizes fit: only a run can tell them, and the core checks it then. */
function fits({ elemType, dims }: TensorInfo, { shape }: Expected): boolean {
  if (elemType !== "float32") return false;
  if (dims === null) return true;
  if (dims.length !== shape.length + 1) return false;
  const [batch, ...rest] = dims;
  const batchFits = typeof batch === "string" || batch === 1;
  return batchFits && rest.every((size, i) => typeof size === "string" || size === shape[i]);
}

function wrong(
  source: string,
  seen: readonly TensorInfo[],
  expected: readonly Expected[],
): AvatarError {
  const labels = expected.map(({ label }) => label).join(" and the ");
  const shapes = expected.map(({ shape }) => `float32 [n,${shape.join(",")}]`).join(" and ");
  const found = seen.map(describe).join(", ") || "missing";
  return new AvatarError(
    "invalid_source",
    `${source}: the ${labels} ${expected.length > 1 ? "are" : "is"} ${found}, expected ${shapes}${hint(seen, expected)}`,
  );
}

/** What a shape that is wrong in a known way tells about the export. */
function hint(seen: readonly TensorInfo[], expected: readonly Expected[]): string {
  const dims = seen.find((info) => info.dims !== null)?.dims ?? [];
  const [, ...rest] = dims;
  if (expected[0] === AUDIO && ["32,32,32", "128,16,32", "256,16,32"].includes(rest.join(","))) {
    return ": train and export the model for the audio features called ave";
  }
  if (expected[0]?.shape.join(",") === rest.join(",") && typeof dims[0] === "number") {
    return ": export it with a dynamic batch dimension, or with 1";
  }
  if (rest.includes(160)) return ": export the 328 pixel model, not the 160 pixel one";
  return "";
}

function describe(info: TensorInfo): string {
  return `"${info.name}" ${describeTensor(info)}`;
}
