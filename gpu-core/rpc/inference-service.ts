import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { Logger } from "../../avatar/logger.ts";
import {
  DeviceState,
  type InferenceService,
  type InferSpeechRequest,
  InferSpeechResponseSchema,
  type ModelInfoSchema,
  ModelState,
  Priority,
} from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import type { Core } from "../core.ts";
import { CoreError } from "../core-error.ts";
import type { DeviceState as EngineDeviceState } from "../engine/inference-worker.ts";
import type { ModelStats } from "../registry/model-stats.ts";
import type { ModelStatus } from "../registry/model-status.ts";
import type { CallLimits, SpeechRequest } from "../requests.ts";
import type { FittedMouth } from "../scheduling/speech-work.ts";
import { deviceInfos } from "./device-infos.ts";
import { toConnectError } from "./errors.ts";
import { callTraceKey } from "./observe-calls.ts";

const MODEL_STATES: Record<ModelStatus["state"], ModelState> = {
  unloaded: ModelState.UNLOADED,
  loading: ModelState.LOADING,
  ready: ModelState.READY,
  failed: ModelState.FAILED,
};

const DEVICE_STATES: Record<EngineDeviceState, DeviceState> = {
  starting: DeviceState.STARTING,
  ready: DeviceState.READY,
  down: DeviceState.DOWN,
  failed: DeviceState.FAILED,
};

/** The handlers of InferenceService: messages in, calls of `core`, messages out. */
export function createInferenceService(
  core: Core,
  logger: Logger,
): ServiceImpl<typeof InferenceService> {
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toConnectError(error, logger);
    }
  };

  return {
    inferBatch: (request, context) =>
      guard(async () => {
        const answer = await core.inferBatch(
          {
            modelId: request.modelId,
            batchSize: request.batchSize,
            visual: request.visualFrames,
            audio: request.audioFeatures,
            trace: context.values.get(callTraceKey),
          },
          limitsOf(context),
        );
        return {
          outputs: answer.outputs.map((data) => ({ data })),
          inferenceTimeMs: answer.inferenceTimeMs,
          success: true,
          workerId: answer.worker,
          gpuId: answer.device,
        };
      }),

    async *inferSpeech(request, context) {
      const trace = context.values.get(callTraceKey);
      try {
        const speech = { ...toSpeechRequest(request), trace };
        for await (const mouth of core.inferSpeech(speech, limitsOf(context))) {
          yield toSpeechResponse(mouth);
        }
      } catch (error) {
        // A caller that leaves shows as a failed write, too.
        if (context.signal.aborted) throw abortReason(context.signal);
        throw toConnectError(error, logger.with(trace.logFields));
      }
    },

    listModels: (request) =>
      guard(async () => {
        const models = await core.registry.list();
        const wanted = models.filter(({ state }) => !request.loadedOnly || state === "ready");
        return { models: wanted.map(toModelInfo) };
      }),

    loadModel: (request) =>
      guard(async () => {
        const { modelId, forceReload, prewarm } = request;
        const { registry } = core;
        const { status, loadMs } = await (prewarm
          ? registry.prewarm(modelId)
          : registry.load(modelId, forceReload));
        return { model: toModelInfo(status), loadTimeMs: loadMs };
      }),

    unloadModel: (request) =>
      guard(async () => {
        // A name that does not exist is a mistake, one that is not loaded is not.
        await core.registry.status(request.modelId);
        return { wasLoaded: core.registry.unload(request.modelId) };
      }),

    getModelStats: (request) =>
      guard(async () => {
        const { registry } = core;
        if (request.modelId === "") return { stats: registry.stats.entries().map(toStats) };
        await registry.status(request.modelId);
        const stats = registry.stats.find(request.modelId);
        return { stats: stats ? [toStats([request.modelId, stats])] : [] };
      }),

    health: () =>
      guard(async () => ({
        healthy: core.isUp,
        uptimeS: (Date.now() - core.startedAtMs) / 1000,
        loadedModels: core.registry.loadedCount,
        maxModels: core.config.capacity.max_models,
        devices: (await deviceInfos(core)).map(({ state, ...device }) => ({
          ...device,
          state: DEVICE_STATES[state],
        })),
      })),
  };
}

function limitsOf({ signal, timeoutMs }: HandlerContext): CallLimits {
  return { signal, timeoutMs: timeoutMs() };
}

/** Connect aborts with its own error when the deadline passes. */
function abortReason({ reason }: AbortSignal): ConnectError {
  if (reason instanceof ConnectError && reason.code === Code.DeadlineExceeded) return reason;
  return new ConnectError("the caller has gone", Code.Canceled);
}

function toSpeechRequest(request: InferSpeechRequest): SpeechRequest {
  const { speech } = request;
  if (speech.length % 2 !== 0) {
    throw new CoreError(
      "invalid_argument",
      `speech has ${speech.length} bytes: 16-bit samples have two each`,
    );
  }
  // An Int16Array must start at an even address; a message lies anywhere.
  const samples = new Int16Array(speech.slice().buffer);
  return {
    modelId: request.modelId,
    version: request.version,
    window: {
      samples,
      start: Number(request.speechStart),
      utteranceSamples:
        request.utteranceSamples === undefined ? null : Number(request.utteranceSamples),
    },
    firstFrame: request.firstFrame,
    backgroundIndices: request.backgroundIndices,
    priority: request.priority === Priority.BATCH ? "batch" : "live",
  };
}

function toSpeechResponse({ order, pixels, times }: FittedMouth) {
  const { x, y, width, height } = order.region;
  return create(InferSpeechResponseSchema, {
    frame: order.frame,
    backgroundIndex: order.backgroundIndex,
    x,
    y,
    width,
    height,
    pixels,
    ...(times && { times }),
  });
}

function toModelInfo(status: ModelStatus): MessageInitShape<typeof ModelInfoSchema> {
  return {
    modelId: status.id,
    state: MODEL_STATES[status.state],
    version: status.version,
    placements: status.placements.map(({ device, worker }) => ({
      gpuId: device,
      workerId: worker,
    })),
    memoryBytes: BigInt(status.memoryBytes),
    error: status.error,
  };
}

function toStats([modelId, stats]: [string, ModelStats]) {
  return {
    modelId,
    requests: BigInt(stats.requests),
    failures: BigInt(stats.failures),
    frames: BigInt(stats.frames),
    unetMs: stats.unetMs,
    queueMs: stats.queueMs,
    loads: BigInt(stats.loads),
    evictions: BigInt(stats.evictions),
    lastUsedMs: BigInt(stats.lastUsedMs),
  };
}
