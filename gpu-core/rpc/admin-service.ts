import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { LevelControl, Logger, LogLevel } from "../../avatar/logger.ts";
import { SettingsError } from "../../avatar/settings.ts";
import {
  type AdminService,
  LogLevel as LogLevelMessage,
} from "../../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import { toConnectError } from "./errors.ts";

const LEVELS: Record<LogLevel, LogLevelMessage> = {
  debug: LogLevelMessage.DEBUG,
  info: LogLevelMessage.INFO,
  warn: LogLevelMessage.WARN,
  error: LogLevelMessage.ERROR,
};

/** What reading the configuration again has changed, by key. */
export interface ReloadResult {
  readonly applied: readonly string[];
  /** What holds only after the next start. */
  readonly pending: readonly string[];
}

/** What a running core lets an operator change; each is left out where it cannot be. */
export interface AdminOptions {
  readonly logLevel?: LevelControl;
  /** @throws SettingsError when the file is wrong; then nothing has changed */
  readonly reload?: () => Promise<ReloadResult>;
}

/** The handlers of AdminService. */
export function createAdminService(
  { logLevel, reload }: AdminOptions,
  logger: Logger,
): ServiceImpl<typeof AdminService> {
  const control = (): LevelControl => {
    if (logLevel) return logLevel;
    throw new ConnectError(
      "this core writes its log elsewhere: set the level where it was started",
      Code.FailedPrecondition,
    );
  };

  return {
    getLogLevel: () => ({ level: LEVELS[control().level] }),

    setLogLevel({ level }) {
      const held = control();
      const wanted = levelOf(level);
      const previous = held.level;
      const tell = () => logger.info("log level changed", { from: previous, to: wanted });
      // While the lower of the two holds, so that the line is there if either has it.
      if (LEVELS[previous] < LEVELS[wanted]) tell();
      held.level = wanted;
      if (LEVELS[previous] >= LEVELS[wanted]) tell();
      return { level: LEVELS[wanted], previousLevel: LEVELS[previous] };
    },

    async reloadConfiguration() {
      if (!reload) {
        throw new ConnectError(
          "this core was started without a configuration file: there is nothing to read again",
          Code.FailedPrecondition,
        );
      }
      try {
        const { applied, pending } = await reload();
        logger.info("configuration reloaded", { applied, pending });
        return { appliedKeys: [...applied], pendingKeys: [...pending] };
      } catch (error) {
        if (!(error instanceof SettingsError)) throw toConnectError(error, logger);
        throw new ConnectError(error.message, Code.InvalidArgument, undefined, undefined, error);
      }
    },
  };
}

/** @throws ConnectError `invalid_argument` */
function levelOf(message: LogLevelMessage): LogLevel {
  for (const [level, known] of Object.entries(LEVELS)) {
    // The keys of LEVELS are levels.
    if (known === message) return level as LogLevel;
  }
  throw new ConnectError(
    `level ${message} does not exist: set one of ${Object.keys(LEVELS).join(", ")}`,
    Code.InvalidArgument,
  );
}
