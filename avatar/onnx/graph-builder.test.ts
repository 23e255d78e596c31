import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { ModelProtoSchema } from "../../proto/gen/onnx/onnx_pb.js";
import { BATCH, GraphBuilder } from "./graph-builder.ts";

test("onnxruntime runs what the builder writes, with any batch size", async () => {
  const graph = new GraphBuilder("affine");
  const x = graph.input("x", [BATCH, 2]);
  const product = graph.node("MatMul", [x, graph.float32([1, 2, 3, 4, 5, 6], [2, 3])]);
  graph.output("y", graph.node("Add", [product, graph.scalar(0.5)]), [BATCH, 3]);
  const session = await InferenceSession.create(graph.build());

  assert.deepEqual(session.inputNames, ["x"]);
  const metadata = session.inputMetadata[0];
  assert.ok(metadata?.isTensor);
  assert.deepEqual(metadata.shape, ["n", 2]);
  const { y } = await session.run({ x: new Tensor("float32", [1, 0, 0, 1], [2, 2]) });
  assert.deepEqual(y?.dims, [2, 3]);
  assert.deepEqual(values(y), [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]);
  await session.release();
});

test("attributes of every kind reach the operator", async () => {
  const graph = new GraphBuilder("attributes");
  const x = graph.input("x", [4]);
  // int, floats, string and float attributes, and two outputs.
  const [low, high] = graph.nodes("Split", [x], 2, { axis: 0 });
  const steep = graph.node("HardSigmoid", [low!], {
    alpha: { float: 0.25 },
    beta: { float: 0.125 },
  });
  const constant = graph.node("Constant", [], { value_floats: { floats: [10, 20] } });
  const square = graph.node("Einsum", [high!, constant], { equation: "i,i->i" });
  graph.output("steep", steep, [2]);
  graph.output("square", square, [2]);
  const session = await InferenceSession.create(graph.build());
  const outputs = await session.run({ x: new Tensor("float32", [0, 1, 2, 3], [4]) });
  assert.deepEqual(values(outputs.steep), [0.125, 0.375]);
  assert.deepEqual(values(outputs.square), [20, 60]);
  await session.release();
});

test("an optional input can be left out and integers are int64", async () => {
  const graph = new GraphBuilder("resize");
  const x = graph.input("x", [1, 1, 1, 2]);
  const sizes = graph.int64([1, 1, 2, 2]);
  const resized = graph.node("Resize", [x, null, null, sizes], { mode: "nearest" });
  graph.output("y", resized, [1, 1, 2, 2]);
  const session = await InferenceSession.create(graph.build());
  const { y } = await session.run({ x: new Tensor("float32", [3, 7], [1, 1, 1, 2]) });
  assert.deepEqual(values(y), [3, 7, 3, 7]);
  await session.release();
});

test("names never collide with those the caller chose", () => {
  const graph = new GraphBuilder("names");
  graph.input("relu_0", [1]);
  const first = graph.node("Relu", [{ name: "relu_0" }]);
  const second = graph.node("Relu", [first]);
  graph.output("y", second, [1]);
  const { graph: proto } = fromBinary(ModelProtoSchema, graph.build());
  const names = proto?.node.flatMap((node) => node.output) ?? [];
  assert.equal(new Set(["relu_0", ...names]).size, 4);
});

test("a weight that does not fill its shape and a name that is taken are refused", () => {
  const graph = new GraphBuilder("wrong");
  assert.throws(() => graph.float32([1, 2, 3], [2, 2]), /3 values do not fill a \[2,2\] tensor/);
  graph.input("x", [1]);
  assert.throws(() => graph.input("x", [1]), /already has a tensor "x"/);
});

test("the file says opset 17 and IR version 8", () => {
  const model = fromBinary(ModelProtoSchema, new GraphBuilder("empty").build());
  assert.equal(model.irVersion, 8n);
  assert.deepEqual(
    model.opsetImport.map(({ domain, version }) => [domain, version]),
    [["", 17n]],
  );
});

function values(tensor: Tensor | undefined): number[] {
  assert.ok(tensor?.data instanceof Float32Array);
  return [...tensor.data];
}
