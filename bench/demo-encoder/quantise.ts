import type { LayerShape, Network } from "./network.ts";

/** Weights of a layer after rounding, and how they are stored. */
export interface QuantisedLayer {
  readonly shape: LayerShape;
  /** float32 [outputs, kernel, inputs], as the stored ones decode */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly bytes: Uint8Array;
}

/**
 * Rounds the weights to 8 bits with a scale per output. Per layer it stores the
 * scales and biases as little-endian float32 [outputs, 2] and then the weights
 * as int8 [outputs, kernel, inputs].
 */
export function quantise(network: Network): QuantisedLayer[] {
  return network.layers.map(({ shape, weights, bias }) => {
    const span = shape.inputs * shape.kernel;
    const bytes = new Uint8Array(shape.outputs * (8 + span));
    const view = new DataView(bytes.buffer);
    const rounded = new Float32Array(weights.values.length);
    for (let o = 0; o < shape.outputs; o++) {
      const row = weights.values.subarray(o * span, (o + 1) * span);
      const scale = Math.fround(row.reduce((top, w) => Math.max(top, Math.abs(w)), 1e-9) / 127);
      view.setFloat32(8 * o, scale, true);
      view.setFloat32(8 * o + 4, bias.values[o]!, true);
      row.forEach((weight, i) => {
        const level = Math.round(weight / scale);
        view.setInt8(8 * shape.outputs + o * span + i, level);
        rounded[o * span + i] = level * scale;
      });
    }
    return { shape, weights: rounded, bias: bias.values, bytes };
  });
}

/** A module that exports the stored layers, one after the other, as base64. */
export function weightsModule(layers: readonly QuantisedLayer[]): string {
  const base64 = Buffer.concat(layers.map(({ bytes }) => bytes)).toString("base64");
  return `/**
 * Weights of the demo's audio encoder, written by bench/demo-encoder/train.ts.
 * Per layer scales and biases, little-endian float32 [outputs, 2], then int8
 * [outputs, kernel, inputs].
 */
export const ENCODER_WEIGHTS =
  "${base64}";
`;
}
