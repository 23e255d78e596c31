import { GraphBuilder } from "../../avatar/onnx/graph-builder.ts";
import { CoreError } from "../core-error.ts";
import {
  createSession,
  floatOutput,
  floatTensor,
  runSession,
  type SessionOptions,
} from "./session.ts";

/** Named in errors in place of a file. */
const NAME = "the built-in test graph";
/** A convolution, because every model has some: on CUDA it takes cuDNN, too. */
const KERNEL = [1, 2, 3, 4];
const INPUT_SIDE = 3;
const OUTPUT_SIDE = 2;

/**
 * Shows that the device of `options` runs models: makes a session as models
 * have it, with the same providers, and compares what a run of it gives.
 * @throws CoreError `unavailable` when it computes something else, `OnnxError` when it does not run
 */
export async function proveDevice(options: SessionOptions): Promise<void> {
  const session = await createSession({ path: NAME, bytes: testGraph() }, options);
  try {
    const input = Float32Array.from({ length: INPUT_SIDE ** 2 }, (_, i) => i);
    const tensor = floatTensor(input, [1, 1, INPUT_SIDE, INPUT_SIDE]);
    const outputs = await runSession(session, { x: tensor }, NAME);
    const output = floatOutput(outputs, "y", OUTPUT_SIDE ** 2, NAME);
    const expected = convolve(input);
    if (output.every((value, i) => value === expected[i])) return;
    throw new CoreError(
      "unavailable",
      `${options.providers[0]} computes ${output.join(", ")} where ${expected.join(", ")} is right: the GPU or its driver is faulty`,
    );
  } finally {
    await session.release();
  }
}

function testGraph(): Uint8Array {
  const graph = new GraphBuilder("device-proof");
  const input = graph.input("x", [1, 1, INPUT_SIDE, INPUT_SIDE]);
  const kernel = graph.float32(KERNEL, [1, 1, 2, 2]);
  graph.output("y", graph.node("Conv", [input, kernel]), [1, 1, OUTPUT_SIDE, OUTPUT_SIDE]);
  return graph.build();
}

/** Small integers, which every provider computes exactly, with TF32 and fp16 as well. */
function convolve(input: Float32Array): number[] {
  return [0, 1, INPUT_SIDE, INPUT_SIDE + 1].map((at) =>
    [0, 1, INPUT_SIDE, INPUT_SIDE + 1].reduce(
      (sum, to, k) => sum + input[at + to]! * KERNEL[k]!,
      0,
    ),
  );
}
