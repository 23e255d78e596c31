import type { Closed } from "./live-connection.ts";

/** What follows from the end of a connection. */
export type WayBack =
  | { readonly kind: "over"; readonly reason: string; readonly message: string | null }
  | { readonly kind: "again"; readonly inMs: number };

export interface WayBackOptions {
  /** How long the session remembers who has gone. */
  readonly resumeMs: number;
  /** 0..1 */
  readonly random: () => number;
}

/**
 * Decides after each failed or broken connection whether and when to try again:
 * at once, then at growing distances, until the session has forgotten us.
 */
export class WayBackPlan {
  readonly #options: WayBackOptions;
  #lostMs: number | null = null;
  #tries = 0;

  constructor(options: WayBackOptions) {
    this.#options = options;
  }

  /** It works again. */
  found(): void {
    this.#lostMs = null;
    this.#tries = 0;
  }

  closed({ code, reason, message, retryAfterMs }: Closed, nowMs: number): WayBack {
    const final = FINAL_CODES[code];
    if (final !== undefined) return { kind: "over", reason: reason ?? final, message };
    this.#lostMs ??= nowMs;
    const { resumeMs, random } = this.#options;
    const grownMs = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#tries);
    // All who were on the same edge lose it in the same moment.
    const delayMs = Math.max(retryAfterMs ?? 0, grownMs * (0.5 + random()));
    this.#tries++;
    if (nowMs + delayMs - this.#lostMs > resumeMs) {
      return { kind: "over", reason: reason ?? "lost", message };
    }
    return { kind: "again", inMs: delayMs };
  }
}

/** After these trying again would give the same. */
const FINAL_CODES: Readonly<Record<number, string>> = {
  1000: "ended",
  4400: "refused",
  4401: "refused",
  4404: "no_session",
  4409: "replaced",
  4413: "refused",
};
const FIRST_DELAY_MS = 150;
const MOST_DELAY_MS = 4000;
