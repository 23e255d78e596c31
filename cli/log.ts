import { createJsonLogger, type Logger, type LogLevel } from "../avatar/logger.ts";

/** Logs go to standard error: standard output is for what was asked for. */
export function createProcessLogger(level: LogLevel): Logger {
  return createJsonLogger(level, (line) => process.stderr.write(`${line}\n`));
}
