import assert from "node:assert/strict";
import { test } from "node:test";
import { Network } from "./network.ts";
import { quantise } from "./quantise.ts";
import { Random } from "./random.ts";

const SHAPES = [
  { inputs: 4, outputs: 8, kernel: 3, stride: 2 },
  { inputs: 8, outputs: 2, kernel: 3, stride: 1 },
];

test("the gradient is the slope of the loss", () => {
  const random = new Random(3);
  const network = new Network(SHAPES, 7, random);
  const input = Float32Array.from({ length: 28 }, () => random.normal());
  const target = Float32Array.of(0.8, 0.1);
  const weight = Float32Array.of(1, 2);
  const loss = () => {
    const y = network.forward(input);
    return target.reduce(
      (sum, t, i) => sum - weight[i]! * (t * Math.log(y[i]!) + (1 - t) * Math.log(1 - y[i]!)),
      0,
    );
  };
  loss();
  network.backward(input, target, weight);
  for (const { weights } of network.layers) {
    for (const i of [0, 5, weights.values.length - 1]) {
      const gradient = weights.gradient[i]!;
      const kept = weights.values[i]!;
      weights.values[i] = kept + 1e-2;
      const above = loss();
      weights.values[i] = kept - 1e-2;
      const slope = (above - loss()) / 2e-2;
      weights.values[i] = kept;
      assert.ok(Math.abs(slope - gradient) < 2e-3, `weight ${i}: ${slope}, ${gradient}`);
    }
  }
});

test("it learns", () => {
  const random = new Random(4);
  const network = new Network(SHAPES, 7, random);
  const weight = Float32Array.of(1, 1);
  const sample = () => Float32Array.from({ length: 28 }, () => random.normal());
  const truth = (x: Float32Array) => Float32Array.of(x[9]! > 0 ? 1 : 0, x[14]! > 0 ? 0 : 1);
  for (let i = 0; i < 6000; i++) {
    const input = sample();
    network.forward(input);
    network.backward(input, truth(input), weight);
    if (i % 16 === 15) network.update(1e-2, 0);
  }
  let right = 0;
  for (let i = 0; i < 200; i++) {
    const input = sample();
    const y = network.forward(input);
    truth(input).forEach((t, o) => {
      if (y[o]! > 0.5 === t > 0.5) right++;
    });
  }
  assert.ok(right > 360, `${right} of 400`);
});

test("rounding keeps weights to half a step of their row", () => {
  const network = new Network(SHAPES, 7, new Random(5));
  quantise(network).forEach(({ shape, weights, bytes }, i) => {
    const exact = network.layers[i]!.weights.values;
    const span = shape.inputs * shape.kernel;
    assert.equal(bytes.length, shape.outputs * (8 + span));
    exact.forEach((weight, at) => {
      const row = exact.subarray(at - (at % span), at - (at % span) + span);
      const step = Math.max(...row.map(Math.abs)) / 127;
      assert.ok(Math.abs(weight - weights[at]!) <= 0.5001 * step);
    });
  });
});
