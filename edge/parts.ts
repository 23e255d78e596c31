import type { Logger } from "../avatar/logger.ts";
import type { ObjectStore } from "../avatar/object-store.ts";
import type { Tracing } from "../avatar/tracing/tracing.ts";
import type { FramePreparer } from "./background/frame-preparer.ts";
import type { EdgeConfig } from "./config.ts";
import type { CoreClient } from "./core/core-client.ts";

/** Files of the page and the SDK; null when there is none at the path. */
export type Assets = (path: string) => Promise<Response | null>;

/** What a runtime builds and hands to the app. */
export interface EdgeParts {
  readonly config: EdgeConfig;
  readonly store: ObjectStore;
  readonly core: CoreClient;
  readonly preparer: FramePreparer;
  readonly assets: Assets | null;
  readonly logger: Logger;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}
