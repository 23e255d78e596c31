export type ModelState = "unloaded" | "loading" | "ready" | "failed";

/** A model as `ListModels` tells it. */
export interface ModelStatus {
  readonly id: string;
  readonly state: ModelState;
  readonly version: string;
  /** Whether a request for it is served, with a load if need be. */
  readonly isServed: boolean;
  readonly placements: readonly { readonly device: number; readonly worker: number }[];
  readonly memoryBytes: number;
  readonly error: string;
}
