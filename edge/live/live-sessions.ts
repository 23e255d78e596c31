import { LRUCache } from "lru-cache";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import { type Caller, callerFields } from "../access/caller.ts";
import { LiveError } from "./live-error.ts";
import type { LiveSession } from "./live-session.ts";
import type { LiveSettings } from "./live-settings.ts";
import { SessionLifetime } from "./session-lifetime.ts";

/** A place that is taken becomes free when somebody leaves: soon, but not at once. */
const RETRY_S = 5;
/** Ids of sessions that have ended, which a token that still is good must not bring back. */
const MAX_ENDED = 10_000;
/** Tokens that have joined a session: more than its viewers and speakers can need. */
const MAX_JOINED = 64;

export interface LiveSessionsOptions {
  readonly settings: LiveSettings;
  readonly clock: Clock;
  /** Unix time in milliseconds. */
  readonly date: () => number;
  readonly logger: Logger;
  readonly open: (id: string, avatar: PublishedAvatar) => LiveSession;
}

/** A session that is known here. */
export interface KnownSession {
  readonly session: LiveSession;
  readonly lifetime: SessionLifetime;
  readonly tenantId: string | null;
  /** Unix time in milliseconds. */
  readonly createdAt: number;
  /** Tokens that have joined, which may come back after their time. */
  readonly joined: Set<string>;
  /** Who takes part now, by token: one that joins again takes its own place. */
  readonly participants: Map<string, { replaced(): void }>;
}

/** The sessions of this process, and in Workers of this isolate. */
export class LiveSessions {
  readonly #options: LiveSessionsOptions;
  readonly #known = new Map<string, KnownSession>();
  readonly #ended = new LRUCache<string, string>({ max: MAX_ENDED });
  #opened = 0;
  #isClosed = false;

  constructor(options: LiveSessionsOptions) {
    this.#options = options;
  }

  get settings(): LiveSettings {
    return this.#options.settings;
  }

  get count(): number {
    return this.#known.size;
  }

  /** Since the start. */
  get opened(): number {
    return this.#opened;
  }

  /** All of them, whosever they are. */
  all(): KnownSession[] {
    this.#sweep();
    return [...this.#known.values()];
  }

  /** Why a session ended that was here; undefined when it was not, or that is long ago. */
  whyEnded(id: string): string | undefined {
    return this.#ended.get(id);
  }

  find(id: string): KnownSession | undefined {
    const known = this.#known.get(id);
    known?.lifetime.check();
    return this.#known.get(id);
  }

  /** @throws LiveError `too_many`, `ended`, `unavailable` */
  open(id: string, avatar: PublishedAvatar, caller: Caller): KnownSession {
    const { open, clock, settings, logger, date } = this.#options;
    if (this.#isClosed) throw new LiveError("unavailable", "this edge is stopping", RETRY_S);
    const ended = this.#ended.get(id);
    if (ended !== undefined) throw new LiveError("ended", `the session is over: ${ended}`);
    this.#sweep();
    const tenantId = caller.tenant?.id ?? null;
    this.#checkRoom(caller);
    const session = open(id, avatar);
    const lifetime = new SessionLifetime({ session, clock, settings });
    const known: KnownSession = {
      session,
      lifetime,
      tenantId,
      createdAt: date(),
      joined: new Set(),
      participants: new Map(),
    };
    this.#known.set(id, known);
    this.#opened++;
    const fields = { session: id, avatar: avatar.summary.id, ...callerFields(caller) };
    logger.info("live session opened", fields);
    session.listen({
      ended: (reason) => {
        this.#known.delete(id);
        this.#ended.set(id, reason);
        logger.info("live session ended", { ...fields, reason, ms: Math.round(session.timeMs) });
      },
    });
    return known;
  }

  /** Remembers a token that has joined. */
  remember({ joined }: KnownSession, tokenId: string): void {
    if (joined.size < MAX_JOINED) joined.add(tokenId);
  }

  /** Ends all of them, and opens no more. */
  close(reason: string): void {
    this.#isClosed = true;
    for (const { session } of this.#known.values()) session.end(reason);
  }

  #checkRoom({ tenant }: Caller): void {
    const { max_sessions } = this.#options.settings;
    if (this.#known.size >= max_sessions) {
      throw new LiveError(
        "too_many",
        `${max_sessions} live sessions are here already (live.max_sessions): try again in ${RETRY_S} s`,
        RETRY_S,
      );
    }
    if (!tenant || tenant.maxSessions === null) return;
    const own = [...this.#known.values()].filter(({ tenantId }) => tenantId === tenant.id).length;
    if (own < tenant.maxSessions) return;
    throw new LiveError(
      "too_many",
      `${tenant.id} has ${own} live sessions already: try again in ${RETRY_S} s`,
      RETRY_S,
    );
  }

  /** In Workers nobody else ends those whose timers went with their requests. */
  #sweep(): void {
    for (const { lifetime } of [...this.#known.values()]) lifetime.check();
  }
}
