import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataLocation } from "../../proto/gen/onnx/onnx_pb.js";
import { AvatarError } from "../avatar-error.ts";
import { BATCH, GraphBuilder } from "./graph-builder.ts";
import { describeTensor, inspectModel } from "./inspect.ts";

function sample(): Uint8Array {
  const graph = new GraphBuilder("sample");
  const x = graph.input("x", [BATCH, 3]);
  graph.input("k", [2], "int64");
  graph.output("y", graph.node("Relu", [x]), [BATCH, 3]);
  return graph.build();
}

function refuses(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => inspectModel(bytes, "m.onnx"),
    (error) =>
      error instanceof AvatarError &&
      error.code === "invalid_source" &&
      error.message.startsWith("m.onnx: ") &&
      message.test(error.message),
  );
}

test("tells names, types and sizes", () => {
  const { inputs, outputs } = inspectModel(sample());
  assert.deepEqual(inputs, [
    { name: "x", elemType: "float32", dims: ["n", 3] },
    { name: "k", elemType: "int64", dims: [2] },
  ]);
  assert.deepEqual(outputs, [{ name: "y", elemType: "float32", dims: ["n", 3] }]);
  assert.equal(describeTensor(inputs[0]!), "float32 [n,3]");
});

test("unknown sizes, undeclared shapes and other types are told as such", () => {
  const dim = [
    { value: { case: "dimValue" as const, value: -1n } },
    { value: { case: "dimParam" as const, value: "" } },
    {},
  ];
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    graph: {
      node: [{ opType: "Identity" }],
      input: [
        {
          name: "a",
          type: { value: { case: "tensorType", value: { elemType: 10, shape: { dim } } } },
        },
        { name: "b", type: { value: { case: "tensorType", value: { elemType: 99 } } } },
        { name: "c" },
        { name: "w" },
      ],
      initializer: [{ name: "w" }],
    },
  });
  assert.deepEqual(inspectModel(toBinary(ModelProtoSchema, model)).inputs, [
    { name: "a", elemType: "float16", dims: ["?", "?", "?"] },
    { name: "b", elemType: "type 99", dims: null },
    { name: "c", elemType: "unknown", dims: null },
  ]);
});

test("refuses what is empty, cut off or something else", () => {
  refuses(new Uint8Array(), /the file is empty/);
  refuses(new TextEncoder().encode("<!doctype html><title>404</title>"), /not an ONNX file/);
  refuses(new Uint8Array(1000), /not an ONNX file/);
  const whole = sample();
  for (const length of [1, 10, whole.length >> 1, whole.length - 1]) {
    refuses(whole.subarray(0, length), /not an ONNX file/);
  }
});

test("refuses a model whose weights lie elsewhere and names the file", () => {
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    graph: {
      node: [{ opType: "Identity" }],
      initializer: [
        {
          name: "w",
          dataLocation: TensorProto_DataLocation.EXTERNAL,
          externalData: [{ key: "location", value: "m.onnx.data" }],
        },
      ],
    },
  });
  refuses(toBinary(ModelProtoSchema, model), /another file \(m\.onnx\.data\)/);
});

test("reads a PyTorch export", (t) => {
  const path = "../shared/golden/synctalk/unet_328.onnx";
  if (!existsSync(path)) {
    t.diagnostic("golden data absent: the comparison did not run");
    return;
  }
  assert.deepEqual(inspectModel(readFileSync(path)), {
    inputs: [
      { name: "input", elemType: "float32", dims: ["batch", 6, 320, 320] },
      { name: "audio", elemType: "float32", dims: ["batch", 32, 16, 16] },
    ],
    outputs: [{ name: "output", elemType: "float32", dims: ["batch", 3, 320, 320] }],
  });
});
