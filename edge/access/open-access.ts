import type { Logger } from "../../avatar/logger.ts";
import { SettingsError } from "../../avatar/settings.ts";
import type { EdgeConfig } from "../config.ts";
import { Access } from "./access.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import type { TokenKey } from "./token-keys.ts";

export interface OpenAccessOptions {
  /** Whether others than this machine's own programs can reach the edge. */
  readonly isReachable: boolean;
  readonly tokenKeys: readonly TokenKey[];
  readonly limiter: RateLimiter;
  readonly logger: Logger;
  /** Unix time in milliseconds. Default: the system's. */
  readonly date?: () => number;
}

/**
 * Who may use the edge, by its configuration. One that names nobody is open on
 * a loopback address and refuses to start anywhere else unless told to be open.
 * @throws SettingsError
 */
export function openAccess({ access: settings }: EdgeConfig, options: OpenAccessOptions): Access {
  const { isReachable, logger, date = Date.now } = options;
  const namesNobody = settings.tenants.length === 0 && settings.operator_keys.length === 0;
  const isOpen = settings.open ?? (namesNobody && !isReachable);
  if (!isOpen && namesNobody) {
    throw new SettingsError(
      isReachable
        ? 'others can reach this edge, and access.tenants names nobody who may: name tenants ("mouthpiece keys create" makes their keys), or set access.open: true to let everybody in'
        : "access.open is false, and access.tenants names nobody who may use the edge",
    );
  }
  if (isOpen) {
    const message = "whoever reaches this edge may use it";
    if (isReachable) logger.warn(`${message} (access.open)`);
    else logger.info(`${message}: it is a loopback address, and access.tenants names nobody`);
  }
  const isForThisMachine = isOpen && settings.open !== true;
  return new Access({ ...options, settings, isOpen, isForThisMachine, date });
}
