import { BATCH, GraphBuilder, type Value } from "../onnx/graph-builder.ts";
import { concat, conv, reshape, sigmoid, slice, tanh } from "../onnx/operators.ts";
import { ENCODER_ROWS, FEATURE_SIZE, MEL_BANDS } from "../speech-timing.ts";
import { ENCODER_WEIGHTS } from "./encoder-weights.ts";
import { VISEME_COUNT } from "./viseme.ts";

/** A convolution over time, without padding. */
export interface EncoderLayer {
  readonly inputs: number;
  readonly outputs: number;
  /** Input steps that one output step sees. */
  readonly kernel: number;
  readonly stride: number;
}

/** 16 mel rows become 6, 4, 1 and 1 steps; tanh between the layers, a sigmoid at the end. */
export const ENCODER_LAYERS: readonly EncoderLayer[] = [
  { inputs: MEL_BANDS, outputs: 64, kernel: 5, stride: 2 },
  { inputs: 64, outputs: 48, kernel: 3, stride: 1 },
  { inputs: 48, outputs: 48, kernel: 4, stride: 1 },
  { inputs: 48, outputs: VISEME_COUNT, kernel: 1, stride: 1 },
];

/** The network sees `(mel - INPUT_CENTRE) * INPUT_SCALE`, which is about -1..1. */
export const INPUT_CENTRE = -1.5;
export const INPUT_SCALE = 0.5;

/**
 * The demo's audio encoder: a small network that was trained on synthetic
 * speech to see the mouth in 200 ms of sound. It tells the mouth in the middle
 * of the window.
 * Input `mel_spectrogram` float32 [n,1,80,16], -4..4; output `audio_features`
 * float32 [n,512]: the parameters of `VISEME`, then hidden activations.
 * @returns an ONNX file
 */
export function buildDemoEncoder(): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder("mouthpiece-demo-encoder");
  const mel = graph.input("mel_spectrogram", [BATCH, 1, MEL_BANDS, ENCODER_ROWS]);
  // Bands become channels, time the width.
  let x: Value = reshape(graph, mel, [0, MEL_BANDS, 1, ENCODER_ROWS]);
  const hidden: Value[] = [];
  const layers = decodeLayers();
  layers.forEach((layer, i) => {
    const { weights, bias } = i === 0 ? foldNormalisation(layer) : layer;
    const { outputs, inputs, kernel, stride } = layer.shape;
    const sum = conv(graph, x, {
      weights,
      bias,
      shape: [outputs, inputs, 1, kernel],
      stride: [1, stride],
    });
    if (i === layers.length - 1) {
      x = reshape(graph, sigmoid(graph, sum), [0, VISEME_COUNT]);
    } else {
      x = tanh(graph, sum);
      hidden.unshift(reshape(graph, x, [0, -1]));
    }
  });
  const features = slice(graph, concat(graph, [x, ...hidden]), 1, 0, FEATURE_SIZE);
  graph.output("audio_features", features, [BATCH, FEATURE_SIZE]);
  return graph.build();
}

interface DecodedLayer {
  readonly shape: EncoderLayer;
  /** float32 [outputs, inputs, kernel], as ONNX wants it */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

function decodeLayers(): DecodedLayer[] {
  const bytes = Uint8Array.from(atob(ENCODER_WEIGHTS), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  return ENCODER_LAYERS.map((shape) => {
    const { outputs, inputs, kernel } = shape;
    const span = inputs * kernel;
    const weights = new Float32Array(outputs * span);
    const bias = new Float32Array(outputs);
    for (let o = 0; o < outputs; o++) {
      const scale = view.getFloat32(at + 8 * o, true);
      bias[o] = view.getFloat32(at + 8 * o + 4, true);
      const row = at + 8 * outputs + o * span;
      for (let i = 0; i < span; i++) {
        // Stored with the inputs of one step together.
        const [step, input] = [Math.floor(i / inputs), i % inputs];
        weights[o * span + input * kernel + step] = scale * view.getInt8(row + i);
      }
    }
    at += outputs * (8 + span);
    return { shape, weights, bias };
  });
}

/** Weights for the mel as it is, instead of centred and scaled. */
function foldNormalisation({ shape, weights, bias }: DecodedLayer) {
  const span = shape.inputs * shape.kernel;
  const scaled = weights.map((weight) => weight * INPUT_SCALE);
  const shifted = bias.map((value, o) => {
    const row = scaled.subarray(o * span, (o + 1) * span);
    return value - INPUT_CENTRE * row.reduce((sum, weight) => sum + weight, 0);
  });
  return { weights: scaled, bias: shifted };
}
