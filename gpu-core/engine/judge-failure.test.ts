import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { CoreError } from "../core-error.ts";
import { OnnxError } from "../model/session.ts";
import { judgeFailure } from "./judge-failure.ts";

const works = async () => {};
const broken = async () => {
  throw new OnnxError("CUDA failure 700: an illegal memory access was encountered", null);
};
const full = async () => {
  throw new OnnxError("CUDA failure 2: out of memory", null);
};
const never = async () => assert.fail("nobody has to ask the device");

/** Code of the answer, and whether the device ends. */
async function judged(error: unknown, prove: (() => Promise<void>) | null) {
  const { error: told, isDeviceFault = false } = await judgeFailure(error, prove);
  return [told.code, isDeviceFault];
}

test("what onnxruntime says is the model's fault while the device runs something else", async () => {
  const error = new OnnxError("onnxruntime cannot run ada: Got invalid dimensions", null);
  assert.deepEqual(await judged(error, works), ["failed_precondition", false]);
  assert.deepEqual(await judged(error, null), ["failed_precondition", false]);
  assert.deepEqual(await judged(error, broken), ["internal", true]);
  assert.deepEqual(await judged(error, full), ["resource_exhausted", false]);
  const { error: told } = await judgeFailure(error, broken);
  assert.match(told.message, /Got invalid dimensions; nor does the device .*illegal memory access/);
});

test("nor is a defect of ours one of the device", async () => {
  const error = new TypeError("x is undefined");
  assert.deepEqual(await judged(error, works), ["internal", false]);
  assert.deepEqual(await judged(error, null), ["internal", false]);
  assert.deepEqual(await judged(error, broken), ["internal", true]);
});

test("what is about files or requests is told as it is", async () => {
  for (const code of ["failed_precondition", "unavailable", "internal"] as const) {
    assert.deepEqual(await judged(new CoreError(code, "of ours"), never), [code, false]);
  }
  const damaged = new AvatarError("damaged", "a pack is cut");
  assert.deepEqual(await judged(damaged, never), ["failed_precondition", false]);
});

test("without memory nobody is at fault", async () => {
  for (const message of [
    "Failed to allocate memory for requested buffer of size 4194304",
    "CUDA failure 2: out of memory ; GPU=0",
    "CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED",
    "VK_ERROR_OUT_OF_DEVICE_MEMORY",
    "std::bad_alloc",
  ]) {
    const verdict = await judged(new OnnxError(message, null), never);
    assert.deepEqual(verdict, ["resource_exhausted", false], message);
  }
});
