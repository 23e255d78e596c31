import {
  createJsonLogger,
  type LevelControl,
  type Logger,
  type LogLevel,
} from "../avatar/logger.ts";

/**
 * Logs go to standard error: standard output is for what was asked for.
 * @param level fixed, or a control by which it changes at run time
 */
export function createProcessLogger(level: LogLevel | LevelControl): Logger {
  return createJsonLogger(level, (line) => process.stderr.write(`${line}\n`));
}
