import type { GraphBuilder, Value } from "./graph-builder.ts";

/**
 * The operators that our graphs use most, one function each. Shapes are NCHW.
 * Axes may be negative, counted from the end.
 */

/** A convolution. */
export interface ConvOptions {
  /** float32 [out, in / groups, height, width] */
  readonly weights: Float32Array | readonly number[];
  readonly shape: readonly [out: number, inPerGroup: number, height: number, width: number];
  /** float32 [out] */
  readonly bias?: Float32Array | readonly number[];
  /** `[down, across]` or one for both. Default 1. */
  readonly stride?: number | readonly [number, number];
  /** Zeros on every side, `[above and below, left and right]` or one for all. Default 0. */
  readonly padding?: number | readonly [number, number];
  /** Default 1; the number of channels makes it depthwise. */
  readonly groups?: number;
}

/** Conv: [n,in,h,w] to [n,out,h',w']. Fold batch norms in with `foldBatchNorm` before. */
export function conv(graph: GraphBuilder, x: Value, options: ConvOptions): Value {
  const { shape, stride = 1, padding = 0, groups } = options;
  const [down, across] = typeof padding === "number" ? [padding, padding] : padding;
  const inputs = [x, graph.float32(options.weights, shape, "weight")];
  if (options.bias) inputs.push(graph.float32(options.bias, [shape[0]], "bias"));
  return graph.node("Conv", inputs, {
    kernel_shape: [shape[2], shape[3]],
    strides: typeof stride === "number" ? [stride, stride] : stride,
    pads: [down, across, down, across],
    group: groups,
  });
}

/** A batch norm as trained: per output channel of the convolution before it. */
export interface BatchNorm {
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon: number;
}

/** Weights and bias of one convolution that does what `weights`, `bias` and then `norm` do. */
export function foldBatchNorm(
  weights: Float32Array,
  bias: Float32Array,
  norm: BatchNorm,
): { weights: Float32Array; bias: Float32Array } {
  const channels = norm.gamma.length;
  const perChannel = weights.length / channels;
  const scale = norm.gamma.map((gamma, c) => gamma / Math.sqrt(norm.variance[c]! + norm.epsilon));
  return {
    weights: weights.map((weight, i) => weight * scale[Math.floor(i / perChannel)]!),
    bias: bias.map((value, c) => (value - norm.mean[c]!) * scale[c]! + norm.beta[c]!),
  };
}

export function relu(graph: GraphBuilder, x: Value): Value {
  return graph.node("Relu", [x]);
}

export function sigmoid(graph: GraphBuilder, x: Value): Value {
  return graph.node("Sigmoid", [x]);
}

export function tanh(graph: GraphBuilder, x: Value): Value {
  return graph.node("Tanh", [x]);
}

/** Element by element, a number for all; shapes broadcast as in NumPy. */
export function add(graph: GraphBuilder, a: Value, b: Value | number): Value {
  return graph.node("Add", [a, asValue(graph, b)]);
}

export function sub(graph: GraphBuilder, a: Value | number, b: Value | number): Value {
  return graph.node("Sub", [asValue(graph, a), asValue(graph, b)]);
}

export function mul(graph: GraphBuilder, a: Value, b: Value | number): Value {
  return graph.node("Mul", [a, asValue(graph, b)]);
}

export function div(graph: GraphBuilder, a: Value | number, b: Value | number): Value {
  return graph.node("Div", [asValue(graph, a), asValue(graph, b)]);
}

export function max(graph: GraphBuilder, a: Value, b: Value | number): Value {
  return graph.node("Max", [a, asValue(graph, b)]);
}

export function min(graph: GraphBuilder, a: Value, b: Value | number): Value {
  return graph.node("Min", [a, asValue(graph, b)]);
}

/** Limits every element to `[low, high]`. */
export function clip(graph: GraphBuilder, x: Value, low: number, high: number): Value {
  return graph.node("Clip", [x, graph.scalar(low), graph.scalar(high)]);
}

/** `a` where `condition` (bool) holds, `b` elsewhere. */
export function where(graph: GraphBuilder, condition: Value, a: Value, b: Value): Value {
  return graph.node("Where", [condition, a, b]);
}

export function concat(graph: GraphBuilder, values: readonly Value[], axis = 1): Value {
  return graph.node("Concat", values, { axis });
}

/** Elements `[start, end)` along `axis`. */
export function slice(
  graph: GraphBuilder,
  x: Value,
  axis: number,
  start: number,
  end: number,
): Value {
  return graph.node("Slice", [x, graph.int64([start]), graph.int64([end]), graph.int64([axis])]);
}

/** @param shape 0 keeps the size of the input there, one -1 takes what is left. */
export function reshape(graph: GraphBuilder, x: Value, shape: readonly number[]): Value {
  return graph.node("Reshape", [x, graph.int64(shape, "shape")]);
}

export function transpose(graph: GraphBuilder, x: Value, order: readonly number[]): Value {
  return graph.node("Transpose", [x], { perm: order });
}

export function matMul(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.node("MatMul", [a, b]);
}

/** Sums along `axes`; the axes stay with size 1 unless `keep` is false. */
export function reduceSum(
  graph: GraphBuilder,
  x: Value,
  axes: readonly number[],
  keep = true,
): Value {
  return graph.node("ReduceSum", [x, graph.int64(axes, "axes")], { keepdims: keep ? 1 : 0 });
}

/** Averages along `axes`; the axes stay with size 1 unless `keep` is false. */
export function reduceMean(
  graph: GraphBuilder,
  x: Value,
  axes: readonly number[],
  keep = true,
): Value {
  return graph.node("ReduceMean", [x], { axes, keepdims: keep ? 1 : 0 });
}

/** How `resize` fills in between. */
export interface ResizeOptions {
  readonly mode: "nearest" | "linear" | "cubic";
  /** Which points of the two grids lie on each other. Default `half_pixel`. */
  readonly coordinates?: "half_pixel" | "align_corners" | "asymmetric";
  /** Parameter of the cubic. Default -0.75, as in OpenCV. */
  readonly cubicA?: number;
}

/** Scales height and width of [n,c,h,w] by a factor. */
export function resize(
  graph: GraphBuilder,
  x: Value,
  factor: number,
  { mode, coordinates = "half_pixel", cubicA = -0.75 }: ResizeOptions,
): Value {
  const scales = graph.float32([1, 1, factor, factor], [4], "scales");
  return graph.node("Resize", [x, null, scales], {
    mode,
    coordinate_transformation_mode: coordinates,
    nearest_mode: mode === "nearest" ? "floor" : undefined,
    cubic_coeff_a: mode === "cubic" ? { float: cubicA } : undefined,
  });
}

function asValue(graph: GraphBuilder, value: Value | number): Value {
  return typeof value === "number" ? graph.scalar(value) : value;
}
