/** Facts that go with a log line. */
export type LogFields = Readonly<Record<string, unknown>>;

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured logging: a fixed message and its facts. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger;
}

/** From most to least that is written. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** The level of a logger and all that come from it by `with`; it may change at any time. */
export interface LevelControl {
  level: LogLevel;
}

/**
 * A logger that writes one JSON object per line.
 * @param level fixed, or a control whose level holds at the moment of each line
 * @param write takes a line without its line break
 * @param now Unix time in milliseconds
 */
export function createJsonLogger(
  level: LogLevel | LevelControl,
  write: (line: string) => void,
  now: () => number = Date.now,
  bound: LogFields = {},
): Logger {
  const control = typeof level === "string" ? { level } : level;
  const log =
    (at: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(control.level)) return;
      const time = new Date(now()).toISOString();
      write(JSON.stringify({ time, level: at, message, ...bound, ...fields }));
    };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    with: (fields) => createJsonLogger(control, write, now, { ...bound, ...fields }),
  };
}

/** Discards everything. */
export const silentLogger: Logger = createJsonLogger("error", () => {});
