import { mouthRegion } from "../avatar/manifest.ts";
import { AUDIO_TENSOR_SIZE } from "./audio/feature-extractor.ts";
import { checkSpeechWindow, type SpeechWindow } from "./audio/speech-window.ts";
import { CoreError } from "./core-error.ts";
import type { FrameOrder } from "./engine/messages.ts";
import { OUTPUT_TENSOR_SIZE, VISUAL_TENSOR_SIZE } from "./model/float-unet.ts";
import type { CallTrace } from "./observe/call-trace.ts";
import type { Priority } from "./scheduling/work.ts";
import type { ModelVersion } from "./sources/model-source.ts";

/** Frames of one InferBatch request, as published. */
const MAX_BATCH_FRAMES = 25;
/** Frames of one InferSpeech request: ten seconds. */
const MAX_SPEECH_FRAMES = 250;

/** A request for consecutive frames of an utterance. */
export interface SpeechRequest {
  readonly modelId: string;
  readonly version: string;
  readonly window: SpeechWindow;
  readonly firstFrame: number;
  readonly backgroundIndices: readonly number[];
  readonly priority: Priority;
  readonly trace?: CallTrace;
}

export interface BatchRequest {
  readonly modelId: string;
  readonly batchSize: number;
  /** float32 [n,6,320,320] */
  readonly visual: Uint8Array;
  /** float32 [n,32,16,16] */
  readonly audio: Uint8Array;
  readonly trace?: CallTrace;
}

export interface BatchAnswer {
  /** float32 [3,320,320] each */
  readonly outputs: readonly Uint8Array[];
  readonly inferenceTimeMs: number;
  readonly device: number;
  readonly worker: number;
}

/** The caller's side of a request. */
export interface CallLimits {
  readonly signal: AbortSignal;
  /** Milliseconds until the caller's deadline; undefined for none. */
  readonly timeoutMs?: number | undefined;
}

/** Checks what can be told before the model is known. @throws CoreError `invalid_argument` */
export function checkSpeech({ backgroundIndices, window, firstFrame }: SpeechRequest): void {
  const count = backgroundIndices.length;
  if (count < 1 || count > MAX_SPEECH_FRAMES) {
    throw new CoreError(
      "invalid_argument",
      `background_indices has ${count} entries: ask for 1 to ${MAX_SPEECH_FRAMES} frames`,
    );
  }
  checkSpeechWindow(window, firstFrame, firstFrame + count);
}

/** The frames of a request. @throws CoreError `invalid_argument`, `failed_precondition` for a bare model */
export function frameOrders(request: SpeechRequest, model: ModelVersion): FrameOrder[] {
  const { manifest } = model;
  if (!manifest) {
    throw new CoreError(
      "failed_precondition",
      `${model.id} is a bare model without background frames: use InferBatch, or import the avatar`,
    );
  }
  return request.backgroundIndices.map((backgroundIndex, i) => {
    if (backgroundIndex >= manifest.frameCount) {
      throw new CoreError(
        "invalid_argument",
        `background index ${backgroundIndex} does not exist: ${model.id} has ${manifest.frameCount} frames`,
      );
    }
    const region = mouthRegion(manifest, backgroundIndex);
    return { frame: request.firstFrame + i, backgroundIndex, region };
  });
}

/** @throws CoreError `invalid_argument` */
export function checkBatch({ batchSize, visual, audio }: BatchRequest): void {
  if (batchSize < 1 || batchSize > MAX_BATCH_FRAMES) {
    throw new CoreError("invalid_argument", `batch_size is ${batchSize}: allowed are 1 to 25`);
  }
  checkBytes("visual_frames", visual, batchSize, VISUAL_TENSOR_SIZE, "6,320,320");
  checkBytes("audio_features", audio, batchSize, AUDIO_TENSOR_SIZE, "32,16,16");
}

/** Memory of a request and its answer. */
export function tensorBytes({ batchSize, visual, audio }: BatchRequest): number {
  return visual.length + audio.length + 4 * batchSize * OUTPUT_TENSOR_SIZE;
}

function checkBytes(name: string, bytes: Uint8Array, n: number, size: number, shape: string): void {
  const expected = n * size * 4;
  if (bytes.length === expected) return;
  throw new CoreError(
    "invalid_argument",
    `${name} has ${bytes.length} bytes: batch_size ${n} needs ${expected} (float32 [${n},${shape}])`,
  );
}
