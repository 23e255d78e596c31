import { LOG_LEVELS, type LogLevel as LogLevelName } from "../../avatar/logger.ts";
import { LogLevel } from "../../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import { CommandError } from "../command-error.ts";
import { askCore, type CoreOptions } from "../core-connection.ts";
import { printResult } from "../table.ts";

const LEVELS: Record<LogLevelName, LogLevel> = {
  debug: LogLevel.DEBUG,
  info: LogLevel.INFO,
  warn: LogLevel.WARN,
  error: LogLevel.ERROR,
};

/** `mouthpiece log-level [LEVEL]`: shows or changes what a running core writes to its log. */
export async function runLogLevel(text: string | undefined, options: CoreOptions): Promise<void> {
  if (text === undefined) {
    const { level } = await askCore(options, (_, admin) => admin.getLogLevel({}));
    printResult(options.json, { level: nameOf(level) }, `${nameOf(level)}\n`);
    return;
  }
  const wanted = LOG_LEVELS.find((level) => level === text);
  if (!wanted) {
    throw new CommandError(`${text} is no level: use ${LOG_LEVELS.join(", ")}`, { isUsage: true });
  }
  const answer = await askCore(options, (_, admin) => admin.setLogLevel({ level: LEVELS[wanted] }));
  const result = { level: nameOf(answer.level), previousLevel: nameOf(answer.previousLevel) };
  printResult(options.json, result, `${result.level} (it was ${result.previousLevel})\n`);
}

function nameOf(level: LogLevel): string {
  return (LogLevel[level] ?? String(level)).toLowerCase();
}
