import type { Clock } from "../../avatar/clock.ts";
import type { LiveSession } from "./live-session.ts";
import type { LiveSettings } from "./live-settings.ts";

/** An end is announced so long before it strikes; of short limits, half of them. */
const NOTICE_MS = 60_000;
/** How often a session that is watched looks at its limits by itself. */
const CHECK_MS = 1000;
/** Timers of more than 24 days go off at once. */
const MAX_TIMER_MS = 3_600_000;

export interface SessionLifetimeOptions {
  readonly session: LiveSession;
  readonly clock: Clock;
  readonly settings: LiveSettings;
}

/** When a session ends by itself, and why. */
export type EndReason = "idle_timeout" | "max_duration" | "abandoned";

interface Deadline {
  readonly reason: EndReason;
  readonly atMs: number;
  readonly noticeMs: number;
}

/**
 * Ends a session when its time is up, it is idle, or nobody comes (back) to it.
 * Looks by a timer of its own and whenever a frame is shown: in Workers a timer
 * ends with the request that made it.
 */
export class SessionLifetime {
  readonly #options: SessionLifetimeOptions;
  readonly #beganMs: number;
  #activeMs: number;
  /** Since when nobody has watched; null while somebody does. */
  #aloneMs: number | null;
  #wasWatched = false;
  /** Ends that have been announced. */
  readonly #announced = new Set<EndReason>();
  #checkedMs = 0;
  #cancel = () => {};

  constructor(options: SessionLifetimeOptions) {
    const { clock, session } = options;
    this.#options = options;
    this.#beganMs = clock.now();
    this.#activeMs = this.#beganMs;
    this.#aloneMs = this.#beganMs;
    session.listen({
      viewers: (count) => this.#watched(count),
      started: () => this.touch(),
      finished: () => this.touch(),
      interrupted: () => this.touch(),
      frame: () => {
        if (clock.now() - this.#checkedMs >= CHECK_MS) this.check();
      },
      ended: () => this.#cancel(),
    });
    this.check();
  }

  /** Milliseconds until it ends, whatever happens. */
  get remainingMs(): number {
    const { clock, settings } = this.#options;
    return Math.max(0, this.#beganMs + 1000 * settings.max_duration_s - clock.now());
  }

  /** Something happens that shows that it is wanted. */
  touch(): void {
    this.#activeMs = this.#options.clock.now();
    this.#announced.delete("idle_timeout");
  }

  /** Ends and announces what is due, and looks again when something will be. */
  check(): void {
    const { session, clock } = this.#options;
    if (session.ended !== null) return;
    const now = clock.now();
    this.#checkedMs = now;
    if (session.isSpeaking && this.#aloneMs === null) this.touch();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { reason, atMs, noticeMs } of this.#deadlines()) {
      if (now >= atMs) {
        session.end(reason);
        return;
      }
      const isDue = now >= atMs - noticeMs && noticeMs > 0;
      if (isDue && !this.#announced.has(reason)) {
        this.#announced.add(reason);
        session.announceEnd(reason, Math.round(atMs - now));
      }
      nextMs = Math.min(nextMs, isDue || noticeMs === 0 ? atMs : atMs - noticeMs);
    }
    this.#cancel();
    this.#cancel = clock.after(Math.min(nextMs - now, MAX_TIMER_MS), () => this.check());
  }

  #deadlines(): Deadline[] {
    const { settings } = this.#options;
    const maxMs = 1000 * settings.max_duration_s;
    const idleMs = 1000 * settings.idle_timeout_s;
    const aloneMs = 1000 * (this.#wasWatched ? settings.resume_s : settings.join_s);
    const notice = (ms: number) => Math.min(NOTICE_MS, ms / 2);
    return [
      { reason: "max_duration", atMs: this.#beganMs + maxMs, noticeMs: notice(maxMs) },
      { reason: "idle_timeout", atMs: this.#activeMs + idleMs, noticeMs: notice(idleMs) },
      ...(this.#aloneMs === null
        ? []
        : [{ reason: "abandoned", atMs: this.#aloneMs + aloneMs, noticeMs: 0 } as const]),
    ];
  }

  #watched(count: number): void {
    const now = this.#options.clock.now();
    if (count > 0) {
      this.#aloneMs = null;
      this.#wasWatched = true;
      this.touch();
    } else {
      this.#aloneMs ??= now;
    }
    this.check();
  }
}
