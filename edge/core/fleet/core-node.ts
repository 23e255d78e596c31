import { LRUCache } from "lru-cache";
import type { Clock } from "../../../avatar/clock.ts";
import type { Logger } from "../../../avatar/logger.ts";
import type { Sharing } from "../../parts.ts";
import { CoreCallError, type CoreClient } from "../core-client.ts";
import type { CoreInspector } from "../core-inspector.ts";
import { type Lease, Leases } from "../leases.ts";

/** A core that did not answer is asked again after so long, twice as long each time. */
const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 30_000;
/** One that is slow says that it serves: only calls show whether it still is. */
const FIRST_SLOW_REST_MS = 10_000;
const LONGEST_SLOW_REST_MS = 120_000;
/** After so long without another one an ejection is forgiven. */
const PROBATION_MS = 60_000;
/** An answer to a health check that takes longer is none. */
const CHECK_LIMIT_MS = 1000;
/** One that there is no other core for may be silent for so long: a busy machine is silent, too. */
const LAST_SILENCE_MS = 10_000;
/** A call from which nothing was taken for so long is counted no more. */
const CALL_LAPSE_MS = 120_000;
/** Avatars that are remembered to be warm there, and for how long. */
const MAX_WARM = 10_000;
const WARM_MS = 300_000;
/** First frames that are looked at, and how old they may be. */
const SAMPLES = 8;
const SAMPLE_AGE_MS = 10_000;
/** Fewer say nothing. */
const LEAST_SAMPLES = 4;

export interface CoreAddress {
  readonly url: string;
  readonly region: string;
}

export interface CoreNodeOptions extends CoreAddress {
  readonly client: CoreClient;
  /** Null where the core cannot be asked what it holds. */
  readonly inspector: CoreInspector | null;
  /** Whether no other core serves. */
  readonly isLast: () => boolean;
  readonly clock: Clock;
  readonly sharing: Sharing;
  readonly logger: Logger;
}

/** What happened at one core since the start. */
export interface CoreNodeStats {
  calls: number;
  failures: number;
  /** Times that it was taken out. */
  ejections: number;
}

/** One core of the fleet, as this edge sees it. */
export class CoreNode {
  readonly url: string;
  readonly region: string;
  readonly client: CoreClient;
  readonly inspector: CoreInspector | null;
  readonly stats: CoreNodeStats = { calls: 0, failures: 0, ejections: 0 };
  readonly #options: CoreNodeOptions;
  #restMs = FIRST_REST_MS;
  #slowRestMs = FIRST_SLOW_REST_MS;
  #slowAtMs = Number.NEGATIVE_INFINITY;
  readonly #calls: Leases;
  readonly #warm: LRUCache<string, true>;
  /** Null while it serves. */
  #restsUntilMs: number | null = null;
  #checkingSinceMs = Number.NEGATIVE_INFINITY;
  /** Since when it answers nothing; null while it answers. */
  #silentSinceMs: number | null = null;
  #down = new AbortController();
  #firstFrames: { readonly ms: number; readonly atMs: number }[] = [];

  constructor(options: CoreNodeOptions) {
    this.#options = options;
    this.url = options.url;
    this.region = options.region;
    this.client = options.client;
    this.inspector = options.inspector;
    const perf = { now: () => options.clock.now() };
    this.#warm = new LRUCache({ max: MAX_WARM, ttl: WARM_MS, perf });
    this.#calls = new Leases(() => options.clock.now(), CALL_LAPSE_MS);
  }

  /** Calls under way. */
  get inFlight(): number {
    return this.#calls.count;
  }

  beginCall(): Lease {
    this.stats.calls++;
    return this.#calls.begin();
  }

  /** Whether calls go there. */
  get isUp(): boolean {
    return this.#restsUntilMs === null;
  }

  /** Aborts when it is taken out: what waits for it need wait no longer. */
  get down(): AbortSignal {
    return this.#down.signal;
  }

  /** Median time to a first frame lately, in milliseconds; null while too little is known. */
  get firstFrameMs(): number | null {
    const oldest = this.#options.clock.now() - SAMPLE_AGE_MS;
    this.#firstFrames = this.#firstFrames.filter(({ atMs }) => atMs >= oldest);
    if (this.#firstFrames.length < LEAST_SAMPLES) return null;
    const sorted = this.#firstFrames.map(({ ms }) => ms).sort((a, b) => a - b);
    return sorted[sorted.length >> 1]!;
  }

  /** The quickest first frame lately: a core whose best is bad is bad, a cold start is not. */
  get bestFirstFrameMs(): number | null {
    if (this.firstFrameMs === null) return null;
    return Math.min(...this.#firstFrames.map(({ ms }) => ms));
  }

  /** Whether it has made frames of this avatar lately, so that its model should be in memory. */
  isWarmFor(avatarId: string): boolean {
    return this.#warm.get(avatarId) === true;
  }

  observeFirstFrame(ms: number): void {
    this.#firstFrames.push({ ms, atMs: this.#options.clock.now() });
    if (this.#firstFrames.length > SAMPLES) this.#firstFrames.shift();
  }

  /** It has made frames of an avatar. */
  succeeded(avatarId: string): void {
    this.#restMs = FIRST_REST_MS;
    this.#silentSinceMs = null;
    this.#warm.set(avatarId, true);
  }

  /**
   * Takes it out for a while.
   * @param why for the log
   * @param isGone whether calls that wait for it end: nothing will come of them
   */
  eject(why: string, isGone: boolean): void {
    this.#rest(why, this.#restMs);
    this.#restMs = Math.min(2 * this.#restMs, LONGEST_REST_MS);
    if (!isGone) return;
    const down = this.#down;
    this.#down = new AbortController();
    down.abort(new CoreCallError("unreachable", `the core at ${this.url} is out: ${why}`));
  }

  /**
   * A call could not reach it. One connection may be to blame, which its other
   * end had closed: calls go elsewhere until it has been asked, which is at once.
   */
  suspect(why: string): void {
    if (!this.isUp) return;
    // One that lets down call after call rests, whatever it says of itself.
    const isFirst = this.#restMs === FIRST_REST_MS;
    this.eject(why, false);
    this.check(isFirst);
  }

  /** Takes out one that serves, but slowly. */
  ejectSlow(why: string): void {
    const nowMs = this.#options.clock.now();
    const isForgiven = nowMs - this.#slowAtMs > this.#slowRestMs + PROBATION_MS;
    if (isForgiven) this.#slowRestMs = FIRST_SLOW_REST_MS;
    this.#slowAtMs = nowMs;
    this.#rest(why, this.#slowRestMs);
    this.#slowRestMs = Math.min(2 * this.#slowRestMs, LONGEST_SLOW_REST_MS);
  }

  #rest(why: string, forMs: number): void {
    const { clock, logger } = this.#options;
    if (this.isUp) {
      this.stats.ejections++;
      logger.warn("core taken out", { core: this.url, why, forMs });
    }
    this.#restsUntilMs = Math.max(this.#restsUntilMs ?? 0, clock.now() + forMs);
    this.#firstFrames = [];
  }

  /** A core that has rested long enough is asked whether it serves, while others do its work. */
  reviveLater(): void {
    if (this.#restsUntilMs === null || this.#options.clock.now() < this.#restsUntilMs) return;
    this.check();
  }

  #fallenSilent(): void {
    const nowMs = this.#options.clock.now();
    this.#silentSinceMs ??= nowMs - CHECK_LIMIT_MS;
    // What waits for it may as well wait on, where nobody else would do better.
    const isGone = !this.#options.isLast() || nowMs - this.#silentSinceMs >= LAST_SILENCE_MS;
    this.eject("it does not answer", isGone);
  }

  /**
   * Asks it whether it serves, once at a time, and takes it out or back in.
   * @param isBackAtOnce whether it need not have rested
   */
  check(isBackAtOnce = false): void {
    const { clock, client, sharing, logger } = this.#options;
    // One that began with a request that has ended never comes back.
    if (clock.now() - this.#checkingSinceMs < 2 * CHECK_LIMIT_MS) return;
    this.#checkingSinceMs = clock.now();
    const limit = new AbortController();
    const cancel = clock.after(CHECK_LIMIT_MS, () => limit.abort());
    const checked = client
      .checkHealth(limit.signal)
      .then(
        () => {
          this.#silentSinceMs = null;
          if (this.#restsUntilMs === null) return;
          if (!isBackAtOnce && clock.now() < this.#restsUntilMs) return;
          logger.info("core is back", { core: this.url });
          this.#restsUntilMs = null;
        },
        (error: unknown) => {
          if (limit.signal.aborted) this.#fallenSilent();
          else {
            const isGone = error instanceof CoreCallError && error.code === "unreachable";
            this.eject(String(error), isGone);
          }
        },
      )
      .finally(() => {
        cancel();
        this.#checkingSinceMs = Number.NEGATIVE_INFINITY;
      });
    sharing.keepAlive(checked);
  }
}
