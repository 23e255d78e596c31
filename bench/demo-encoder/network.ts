import type { Random } from "./random.ts";

/** A convolution over time without padding. */
export interface LayerShape {
  readonly inputs: number;
  readonly outputs: number;
  /** Input steps that one output step sees. */
  readonly kernel: number;
  readonly stride: number;
}

/** Steps that a layer makes of `steps`. */
export function outputSteps(steps: number, { kernel, stride }: LayerShape): number {
  return Math.floor((steps - kernel) / stride) + 1;
}

interface Parameters {
  readonly values: Float32Array;
  readonly gradient: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

interface Layer {
  readonly shape: LayerShape;
  readonly steps: number;
  /** float32 [outputs, kernel, inputs] */
  readonly weights: Parameters;
  readonly bias: Parameters;
  readonly activation: Float32Array;
  readonly delta: Float32Array;
}

/**
 * A stack of such convolutions, tanh between them and a sigmoid at the end, of
 * one sample at a time: small enough to be trained without a framework.
 */
export class Network {
  readonly layers: readonly Layer[];
  #updates = 0;
  #samples = 0;

  constructor(shapes: readonly LayerShape[], steps: number, random: Random) {
    let size = steps;
    this.layers = shapes.map((shape) => {
      size = outputSteps(size, shape);
      const fanIn = shape.inputs * shape.kernel;
      const weights = parameters(shape.outputs * fanIn);
      for (let i = 0; i < weights.values.length; i++) {
        weights.values[i] = random.normal() / Math.sqrt(fanIn);
      }
      return {
        shape,
        steps: size,
        weights,
        bias: parameters(shape.outputs),
        activation: new Float32Array(size * shape.outputs),
        delta: new Float32Array(size * shape.outputs),
      };
    });
  }

  /** @returns the activations of the last layer, reused by the next call. */
  forward(input: Float32Array): Float32Array {
    let x = input;
    this.layers.forEach((layer, index) => {
      convolve(layer, x);
      const y = layer.activation;
      if (index === this.layers.length - 1) {
        for (let i = 0; i < y.length; i++) y[i] = 1 / (1 + Math.exp(-y[i]!));
      } else {
        for (let i = 0; i < y.length; i++) y[i] = Math.tanh(y[i]!);
      }
      x = y;
    });
    return x;
  }

  /**
   * Adds the gradient of the weighted cross-entropy for the last `forward`.
   * @param target per output, 0..1
   */
  backward(input: Float32Array, target: Float32Array, weight: Float32Array): void {
    const last = this.layers.at(-1)!;
    for (let i = 0; i < last.delta.length; i++) {
      last.delta[i] = weight[i]! * (last.activation[i]! - target[i]!);
    }
    for (let index = this.layers.length - 1; index >= 0; index--) {
      const below = this.layers[index - 1];
      spread(this.layers[index]!, below?.activation ?? input, below?.delta ?? null);
      if (!below) continue;
      for (let i = 0; i < below.delta.length; i++) {
        below.delta[i] = below.delta[i]! * (1 - below.activation[i]! ** 2);
      }
    }
    this.#samples++;
  }

  /** One step of AdamW (Loshchilov and Hutter, 2019) over the samples since the last. */
  update(rate: number, decay: number): void {
    this.#updates++;
    for (const { weights, bias } of this.layers) {
      adam(weights, rate, decay, this.#updates, this.#samples);
      adam(bias, rate, 0, this.#updates, this.#samples);
    }
    this.#samples = 0;
  }
}

function parameters(size: number): Parameters {
  return {
    values: new Float32Array(size),
    gradient: new Float32Array(size),
    first: new Float32Array(size),
    second: new Float32Array(size),
  };
}

function convolve({ shape, steps, weights, bias, activation }: Layer, x: Float32Array): void {
  const { outputs, inputs, kernel, stride } = shape;
  const span = inputs * kernel;
  const w = weights.values;
  for (let step = 0; step < steps; step++) {
    const from = step * stride * inputs;
    for (let o = 0; o < outputs; o++) {
      const row = o * span;
      // Four sums at once, because each alone waits for its last addition.
      let [s0, s1, s2, s3] = [bias.values[o]!, 0, 0, 0];
      for (let i = 0; i < span; i += 4) {
        s0 += w[row + i]! * x[from + i]!;
        s1 += w[row + i + 1]! * x[from + i + 1]!;
        s2 += w[row + i + 2]! * x[from + i + 2]!;
        s3 += w[row + i + 3]! * x[from + i + 3]!;
      }
      activation[step * outputs + o] = s0 + s1 + s2 + s3;
    }
  }
}

/** Gradients of a layer's parameters and, unless it is the first, of its input. */
function spread(layer: Layer, x: Float32Array, below: Float32Array | null): void {
  const { outputs, inputs, kernel, stride } = layer.shape;
  const span = inputs * kernel;
  const { values, gradient } = layer.weights;
  below?.fill(0);
  for (let step = 0; step < layer.steps; step++) {
    const from = step * stride * inputs;
    for (let o = 0; o < outputs; o++) {
      const delta = layer.delta[step * outputs + o]!;
      const row = o * span;
      layer.bias.gradient[o] = layer.bias.gradient[o]! + delta;
      for (let i = 0; i < span; i++) gradient[row + i] = gradient[row + i]! + delta * x[from + i]!;
      if (!below) continue;
      for (let i = 0; i < span; i++) below[from + i] = below[from + i]! + delta * values[row + i]!;
    }
  }
}

function adam(p: Parameters, rate: number, decay: number, updates: number, samples: number): void {
  const [keep1, keep2] = [0.9, 0.999];
  const step = rate / (1 - keep1 ** updates);
  const correction = 1 / (1 - keep2 ** updates);
  for (let i = 0; i < p.values.length; i++) {
    const g = p.gradient[i]! / samples;
    p.gradient[i] = 0;
    p.first[i] = keep1 * p.first[i]! + (1 - keep1) * g;
    p.second[i] = keep2 * p.second[i]! + (1 - keep2) * g * g;
    const slope = p.first[i]! / (Math.sqrt(p.second[i]! * correction) + 1e-8);
    p.values[i] = p.values[i]! * (1 - rate * decay) - step * slope;
  }
}
