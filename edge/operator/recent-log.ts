import type { LogFields, Logger } from "../../avatar/logger.ts";
import { withoutKeys } from "../access/api-key.ts";

/** Of each level, so that a stranger who is refused again and again pushes no error out. */
const MAX_PER_LEVEL = 100;
const MAX_FIELDS = 16;
const MAX_CHARACTERS = 400;
/** Names of what is not to be shown, whatever it holds. */
const SECRET_NAME = /authorization|cookie|credential|key|passw|secret|token/i;
/** JSON web tokens, and passwords in URLs. */
const TOKEN = /\beyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*/g;
const BEARER = /\bBearer +[^\s"',]+/gi;
const URL_PASSWORD = /(:\/\/)[^\s/@]+@/g;

/** A warning or an error that was logged. */
export interface RecentEntry {
  /** ISO 8601. */
  readonly time: string;
  readonly level: "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * The last warnings and errors, for people who have no log at hand. They are
 * shown in a browser: what looks like a secret is not kept.
 */
export class RecentLog {
  readonly #now: () => number;
  readonly #kept: Record<RecentEntry["level"], RecentEntry[]> = { warn: [], error: [] };
  readonly #counts = { warn: 0, error: 0 };

  /** @param now Unix time in milliseconds */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The newest first. */
  get entries(): readonly RecentEntry[] {
    const all = [...this.#kept.error, ...this.#kept.warn];
    return all.sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
  }

  /** Since the start. */
  get counts(): { readonly warn: number; readonly error: number } {
    return { ...this.#counts };
  }

  /** The same logger, whose warnings and errors are kept here as well, whatever its level. */
  around(logger: Logger, bound: LogFields = {}): Logger {
    return {
      debug: (message, fields) => logger.debug(message, fields),
      info: (message, fields) => logger.info(message, fields),
      warn: (message, fields) => {
        logger.warn(message, fields);
        this.#keep("warn", message, { ...bound, ...fields });
      },
      error: (message, fields) => {
        logger.error(message, fields);
        this.#keep("error", message, { ...bound, ...fields });
      },
      with: (fields) => this.around(logger.with(fields), { ...bound, ...fields }),
    };
  }

  #keep(level: RecentEntry["level"], message: string, fields: LogFields): void {
    this.#counts[level]++;
    const shown = Object.entries(fields)
      .slice(0, MAX_FIELDS)
      .map(([name, value]) => [name, SECRET_NAME.test(name) ? "***" : toText(value)] as const);
    const kept = this.#kept[level];
    kept.push({
      time: new Date(this.#now()).toISOString(),
      level,
      message: toText(message),
      fields: Object.fromEntries(shown),
    });
    if (kept.length > MAX_PER_LEVEL) kept.shift();
  }
}

function toText(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  // Cut last: half a secret is one still.
  return withoutKeys(text)
    .replace(TOKEN, "***")
    .replace(BEARER, "Bearer ***")
    .replace(URL_PASSWORD, "$1***@")
    .slice(0, MAX_CHARACTERS);
}
