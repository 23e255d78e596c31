import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { Logger } from "../../avatar/logger.ts";
import {
  type Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.js";
import { InferenceService } from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import type { Core } from "../core.ts";
import { CoreError } from "../core-error.ts";
import { toConnectError } from "./errors.ts";

/** Names that stand for the core as a whole; any other is a model's id. */
const CORE_NAMES: ReadonlySet<string> = new Set(["", InferenceService.typeName]);
/** Soon enough for a load balancer, and two small reads for a model that is not in memory. */
const POLL_INTERVAL_MS = 500;
/**
 * Watches at the same time; more are RESOURCE_EXHAUSTED. Far more than the
 * balancers and probes of one core; each costs a timer and a stream.
 */
export const MAX_WATCHES = 256;

export interface HealthServiceOptions {
  /** Aborted when the core begins to stop: nothing is SERVING any more, and watches end. */
  readonly closing: AbortSignal;
  /** Waits before the core is looked at again; rejects on abort. Default: 500 ms. */
  readonly pause?: (signal: AbortSignal) => Promise<unknown>;
}

/**
 * The handlers of `grpc.health.v1.Health`. The core is SERVING while a device
 * is up, once what is preloaded is there; a model that is in memory or would be
 * loaded when asked for is so before.
 */
export function createHealthService(
  core: Core,
  logger: Logger,
  options: HealthServiceOptions,
): ServiceImpl<typeof Health> {
  const { closing } = options;
  const pause =
    options.pause ?? ((signal) => sleep(POLL_INTERVAL_MS, undefined, { signal, ref: false }));
  let watches = 0;

  async function statusOf(name: string): Promise<ServingStatus> {
    const isOpen = !closing.aborted;
    if (CORE_NAMES.has(name)) {
      return isOpen && core.isReady ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    }
    try {
      const { isServed } = await core.registry.status(name);
      return isOpen && core.isUp && isServed ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    } catch (error) {
      return statusOfError(error);
    }
  }

  return {
    async check({ service }) {
      try {
        const status = await statusOf(service);
        if (status !== ServingStatus.SERVICE_UNKNOWN) return { status };
      } catch (error) {
        throw toConnectError(error, logger);
      }
      throw new ConnectError(
        `there is nothing named ${JSON.stringify(service)}: use "", "${InferenceService.typeName}" or a model id of ListModels`,
        Code.NotFound,
      );
    },

    async *watch({ service }, context) {
      if (watches >= MAX_WATCHES) {
        throw new ConnectError(
          `${watches} watches are open: close some, or use Check`,
          Code.ResourceExhausted,
        );
      }
      watches++;
      const signal = AbortSignal.any([context.signal, closing]);
      try {
        for (let last: ServingStatus | null = null; !context.signal.aborted; ) {
          // Before the status, so that nothing changes between the last one told and the end.
          const isLast = closing.aborted;
          const status = await statusOf(service);
          if (status !== last) yield { status };
          last = status;
          if (isLast) throw new ConnectError("the core is stopping", Code.Unavailable);
          await pause(signal).catch(() => {});
        }
      } catch (error) {
        throw toConnectError(error, logger);
      } finally {
        watches--;
      }
    },
  };
}

/** @throws what is no statement about the model */
function statusOfError(error: unknown): ServingStatus {
  if (!(error instanceof CoreError) || error.code === "internal") throw error;
  const isUnknown = error.code === "not_found" || error.code === "invalid_argument";
  return isUnknown ? ServingStatus.SERVICE_UNKNOWN : ServingStatus.NOT_SERVING;
}
