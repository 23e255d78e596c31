import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  InferenceService,
  ModelState,
} from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";

/** More than anybody looks at. */
const MAX_MODELS = 200;

/** A model as its core sees it, and what it has done since the core started. */
export interface CoreModel {
  readonly id: string;
  readonly state: "unloaded" | "loading" | "ready" | "failed";
  /** Content hash; empty while it is not loaded. */
  readonly version: string;
  /** Copies in memory. */
  readonly replicas: number;
  readonly memoryBytes: number;
  readonly requests: number;
  readonly failures: number;
  readonly frames: number;
  /** Mean milliseconds per frame in the U-Net; null before the first. */
  readonly unetMs: number | null;
  readonly evictions: number;
  /** Why the last load failed; empty when it did not. */
  readonly error: string;
}

/** Asks a core what it has in memory. */
export interface CoreInspector {
  /**
   * Models that are in memory or have been used, by id.
   * @throws Error with a message for an operator
   */
  models(signal: AbortSignal): Promise<readonly CoreModel[]>;
}

const STATES: Record<ModelState, CoreModel["state"]> = {
  [ModelState.UNSPECIFIED]: "unloaded",
  [ModelState.UNLOADED]: "unloaded",
  [ModelState.LOADING]: "loading",
  [ModelState.READY]: "ready",
  [ModelState.FAILED]: "failed",
};

/** @param transport made by the runtime, as for `createConnectCoreClient` */
export function createCoreInspector(transport: Transport): CoreInspector {
  const client = createClient(InferenceService, transport);
  return {
    async models(signal) {
      try {
        const [{ models }, { stats }] = await Promise.all([
          client.listModels({ loadedOnly: true }, { signal }),
          client.getModelStats({}, { signal }),
        ]);
        const loaded = new Map(models.map((model) => [model.modelId, model]));
        const used = new Map(stats.map((each) => [each.modelId, each]));
        // Those in memory first: they may not be cut off.
        const ids = [...new Set([...loaded.keys(), ...used.keys()])].slice(0, MAX_MODELS);
        return ids.sort().map((id) => {
          const model = loaded.get(id);
          const counts = used.get(id);
          const frames = Number(counts?.frames ?? 0);
          return {
            id,
            state: STATES[model?.state ?? ModelState.UNLOADED],
            version: model?.version ?? "",
            replicas: model?.placements.length ?? 0,
            memoryBytes: Number(model?.memoryBytes ?? 0),
            requests: Number(counts?.requests ?? 0),
            failures: Number(counts?.failures ?? 0),
            frames,
            unetMs: frames > 0 && counts ? counts.unetMs / frames : null,
            evictions: Number(counts?.evictions ?? 0),
            error: model?.error ?? "",
          };
        });
      } catch (error) {
        throw new Error(ConnectError.from(error).rawMessage, { cause: error });
      }
    },
  };
}
