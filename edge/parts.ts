import type { Logger } from "../avatar/logger.ts";
import type { ObjectStore } from "../avatar/object-store.ts";
import type { Tracing } from "../avatar/tracing/tracing.ts";
import type { Access } from "./access/access.ts";
import type { FramePreparer } from "./background/frame-preparer.ts";
import type { EdgeConfig } from "./config.ts";
import type { CoreFleet } from "./core/fleet/core-fleet.ts";
import type { WhepPeers } from "./live/whep/whep.ts";
import type { RecentLog } from "./operator/recent-log.ts";
import type { WholeFrameEncoders } from "./speak/whole-frame-encoder.ts";

/** Files of the page and the SDK; null when there is none at the path. */
export type Assets = (path: string) => Promise<Response | null>;

/**
 * How work is shared between requests. In Workers what a request does ends with
 * it, silently, also what others wait for.
 */
export interface Sharing {
  /** Lets work go on when the request that began it has ended. */
  keepAlive(work: Promise<unknown>): void;
  /** Who has waited so long for another's work does it himself, in milliseconds. */
  readonly patienceMs: number;
}

/** Where work goes on whatever becomes of the request that began it. */
export const FREE_SHARING: Sharing = {
  keepAlive() {},
  patienceMs: Number.POSITIVE_INFINITY,
};

/** What a runtime builds and hands to the app. */
export interface EdgeParts {
  readonly config: EdgeConfig;
  readonly access: Access;
  readonly store: ObjectStore;
  readonly core: CoreFleet;
  readonly preparer: FramePreparer;
  readonly assets: Assets | null;
  /** With video.whole_frames. Default: avatars without a video track have no video. */
  readonly encoders?: WholeFrameEncoders;
  readonly logger: Logger;
  /** Where `logger` keeps its warnings and errors. Default: those of the requests alone are kept. */
  readonly recentLog?: RecentLog;
  /** Default: work goes on by itself. */
  readonly sharing?: Sharing;
  /** Those who watch by WebRTC. Default: nobody can. */
  readonly webrtc?: WhepPeers & { readonly count: number };
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}
