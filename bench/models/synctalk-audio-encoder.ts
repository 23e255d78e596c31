import { BATCH, GraphBuilder, type Value } from "../../avatar/onnx/graph-builder.ts";
import { add, conv, relu, reshape } from "../../avatar/onnx/operators.ts";
import { SeededWeights } from "./seeded-weights.ts";

/** Residual branches are added at half strength, so that a chain of them does not grow. */
const RESIDUAL_GAIN = 0.5;

interface Layer {
  readonly to: number;
  readonly kernel: 1 | 3;
  readonly stride: readonly [number, number];
  readonly padding: 0 | 1;
  /** Layers of the same width that follow and add to their input. */
  readonly residuals: number;
}

/** The audio half of Wav2Lip's SyncNet: 80x16 to 1x1. */
const LAYERS: readonly Layer[] = [
  { to: 32, kernel: 3, stride: [1, 1], padding: 1, residuals: 2 },
  { to: 64, kernel: 3, stride: [3, 1], padding: 1, residuals: 2 },
  { to: 128, kernel: 3, stride: [3, 3], padding: 1, residuals: 2 },
  { to: 256, kernel: 3, stride: [3, 2], padding: 1, residuals: 1 },
  { to: 512, kernel: 3, stride: [1, 1], padding: 0, residuals: 0 },
  { to: 512, kernel: 1, stride: [1, 1], padding: 0, residuals: 0 },
];

/**
 * The audio encoder that SyncTalk_2D calls ave, in its full size, with random
 * weights: it costs what the real one costs.
 * Input `mel_spectrogram` float32 [n,1,80,16]; output `audio_features` float32 [n,512].
 * @returns an ONNX file
 */
export function buildSynctalkAudioEncoder({
  seed,
}: {
  readonly seed: number;
}): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder("synctalk-audio-encoder");
  const weights = new SeededWeights(seed);
  let x: Value = graph.input("mel_spectrogram", [BATCH, 1, 80, 16]);
  let from = 1;
  for (const { to, kernel, stride, padding, residuals } of LAYERS) {
    x = relu(
      graph,
      conv(graph, x, {
        weights: weights.conv(to, from, kernel, 2),
        shape: [to, from, kernel, kernel],
        bias: weights.bias(to),
        stride,
        padding,
      }),
    );
    for (let i = 0; i < residuals; i++) {
      const branch = conv(graph, x, {
        weights: weights.conv(to, to, 3, RESIDUAL_GAIN),
        shape: [to, to, 3, 3],
        bias: weights.bias(to),
        padding: 1,
      });
      x = relu(graph, add(graph, branch, x));
    }
    from = to;
  }
  graph.output("audio_features", reshape(graph, x, [0, 512]), [BATCH, 512]);
  return graph.build();
}
