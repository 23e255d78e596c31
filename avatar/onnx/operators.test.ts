import assert from "node:assert/strict";
import { test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { GraphBuilder, type Value } from "./graph-builder.ts";
import * as op from "./operators.ts";

/** Runs a graph of one input and one output. */
async function evaluate(
  data: readonly number[],
  shape: readonly number[],
  make: (graph: GraphBuilder, x: Value) => Value,
): Promise<{ dims: readonly number[]; data: number[] }> {
  const graph = new GraphBuilder("test");
  const x = graph.input("x", shape);
  graph.output("y", make(graph, x), ["any"]);
  const session = await InferenceSession.create(graph.build(), { logSeverityLevel: 4 });
  const { y } = await session.run({ x: new Tensor("float32", [...data], [...shape]) });
  await session.release();
  assert.ok(y);
  return { dims: y.dims, data: [...(y.data as Float32Array)] };
}

test("conv has stride, padding, groups and bias", async () => {
  const strided = await evaluate([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3], (g, x) =>
    op.conv(g, x, { weights: Array(9).fill(1), shape: [1, 1, 3, 3], stride: 2, padding: 1 }),
  );
  assert.deepEqual(strided, { dims: [1, 1, 2, 2], data: [12, 16, 24, 28] });
  const depthwise = await evaluate([1, 2], [1, 2, 1, 1], (g, x) =>
    op.conv(g, x, { weights: [10, 100], shape: [2, 1, 1, 1], groups: 2, bias: [1, 2] }),
  );
  assert.deepEqual(depthwise.data, [11, 202]);
});

test("a folded batch norm does what the norm does after the convolution", async () => {
  const weights = Float32Array.of(2, 3);
  const bias = Float32Array.of(0.5, -0.5);
  const norm = {
    gamma: Float32Array.of(1.5, 2),
    beta: Float32Array.of(0.25, -1),
    mean: Float32Array.of(0.75, 4),
    variance: Float32Array.of(4, 0.25),
    epsilon: 1e-5,
  };
  const folded = op.foldBatchNorm(weights, bias, norm);
  const shape = [2, 1, 1, 1] as const;
  const once = await evaluate([7], [1, 1, 1, 1], (g, x) => op.conv(g, x, { ...folded, shape }));
  const twice = await evaluate([7], [1, 1, 1, 1], (g, x) =>
    g.node(
      "BatchNormalization",
      [
        op.conv(g, x, { weights, bias, shape }),
        ...[norm.gamma, norm.beta, norm.mean, norm.variance].map((each) => g.float32(each, [2])),
      ],
      { epsilon: { float: norm.epsilon } },
    ),
  );
  once.data.forEach((value, c) => {
    assert.ok(Math.abs(value - twice.data[c]!) < 1e-4, `channel ${c}: ${value}, ${twice.data[c]}`);
  });
});

test("arithmetic takes values and numbers", async () => {
  const { data } = await evaluate([1, 4], [2], (g, x) =>
    op.clip(g, op.sub(g, 10, op.div(g, op.mul(g, op.add(g, x, 2), x), 3)), -1, 8),
  );
  assert.deepEqual(data, [8, 2]);
  const limits = await evaluate([-5, 5], [2], (g, x) => op.max(g, op.min(g, x, 2), -3));
  assert.deepEqual(limits.data, [-3, 2]);
});

test("activations", async () => {
  assert.deepEqual((await evaluate([-1, 2], [2], op.relu)).data, [0, 2]);
  assert.deepEqual((await evaluate([0], [1], op.sigmoid)).data, [0.5]);
  assert.deepEqual((await evaluate([0], [1], op.tanh)).data, [0]);
});

test("slices, joins and moves axes", async () => {
  const { dims, data } = await evaluate([1, 2, 3, 4, 5, 6], [1, 2, 3], (g, x) =>
    op.concat(g, [op.slice(g, x, -1, 0, 1), op.slice(g, x, 2, 2, 3)], 1),
  );
  assert.deepEqual({ dims, data }, { dims: [1, 4, 1], data: [1, 4, 3, 6] });
  const moved = await evaluate([1, 2, 3, 4, 5, 6], [2, 3], (g, x) =>
    op.reshape(g, op.transpose(g, x, [1, 0]), [1, -1]),
  );
  assert.deepEqual(moved, { dims: [1, 6], data: [1, 4, 2, 5, 3, 6] });
});

test("multiplies matrices, sums and averages, chooses", async () => {
  const product = await evaluate([1, 2], [1, 2], (g, x) =>
    op.matMul(g, x, g.float32([3, 4, 5, 6], [2, 2])),
  );
  assert.deepEqual(product.data, [13, 16]);
  const sum = await evaluate([1, 2, 3, 4], [2, 2], (g, x) => op.reduceSum(g, x, [1], false));
  assert.deepEqual(sum, { dims: [2], data: [3, 7] });
  const mean = await evaluate([1, 2, 3, 4], [2, 2], (g, x) => op.reduceMean(g, x, [0]));
  assert.deepEqual(mean, { dims: [1, 2], data: [2, 3] });
  const chosen = await evaluate([-1, 1], [2], (g, x) =>
    op.where(g, g.node("Greater", [x, g.scalar(0)]), op.mul(g, x, 10), x),
  );
  assert.deepEqual(chosen.data, [-1, 10]);
});

test("resizes, nearest and linear with aligned corners", async () => {
  const nearest = await evaluate([1, 2], [1, 1, 1, 2], (g, x) =>
    op.resize(g, x, 2, { mode: "nearest", coordinates: "asymmetric" }),
  );
  assert.deepEqual(nearest, { dims: [1, 1, 2, 4], data: [1, 1, 2, 2, 1, 1, 2, 2] });
  const linear = await evaluate([0, 3], [1, 1, 1, 2], (g, x) =>
    op.resize(g, x, 2, { mode: "linear", coordinates: "align_corners" }),
  );
  assert.deepEqual(linear.data, [0, 1, 2, 3, 0, 1, 2, 3]);
});
