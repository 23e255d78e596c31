export type Verdict = "ok" | "warn" | "fail";

/** What one look found. */
export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found. */
  readonly detail: string;
  /** What to do about it; empty when nothing is. */
  readonly advice: string;
}

export const ok = (check: string, detail: string): Finding => ({
  check,
  verdict: "ok",
  detail,
  advice: "",
});

/** Works, but not for long or not for everything. */
export const warn = (check: string, detail: string, advice: string): Finding => ({
  check,
  verdict: "warn",
  detail,
  advice,
});

/** Something will not work. */
export const fail = (check: string, detail: string, advice: string): Finding => ({
  check,
  verdict: "fail",
  detail,
  advice,
});

/** The first line of what an error says. */
export function whyOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n")[0] ?? "";
}
