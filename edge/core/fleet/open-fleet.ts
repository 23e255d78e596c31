import type { Transport } from "@connectrpc/connect";
import { systemClock } from "../../../avatar/clock.ts";
import type { Logger } from "../../../avatar/logger.ts";
import type { Tracing } from "../../../avatar/tracing/tracing.ts";
import { coresOf, type EdgeConfig } from "../../config.ts";
import { FREE_SHARING, type Sharing } from "../../parts.ts";
import { createConnectCoreClient } from "../connect-core-client.ts";
import { createCoreInspector } from "../core-inspector.ts";
import { CoreFleet } from "./core-fleet.ts";

/** A connection to a core, and its end. */
export interface OpenTransport {
  readonly transport: Transport;
  close(): void;
}

/** The cores of the configuration. @param open how the runtime reaches one */
export function openFleet(
  config: EdgeConfig,
  open: (url: string) => OpenTransport,
  parts: { readonly logger: Logger; readonly tracing: Tracing; readonly sharing?: Sharing },
): CoreFleet {
  const { logger, tracing, sharing = FREE_SHARING } = parts;
  const { region, hedge, timeout_s } = config.core;
  return new CoreFleet(coresOf(config), {
    region,
    hedge: { share: hedge.share, leastDelayMs: hedge.least_delay_ms },
    clock: systemClock,
    sharing,
    logger,
    open(url) {
      const { transport, close } = open(url);
      const client = createConnectCoreClient(transport, 1000 * timeout_s, tracing);
      return { client, inspector: createCoreInspector(transport), close };
    },
  });
}
