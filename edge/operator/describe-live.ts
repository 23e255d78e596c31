import type { LiveFormat } from "../live/live-media.ts";
import type { KnownSession, LiveSessions } from "../live/live-sessions.ts";

/** More than a page shows; the others are counted. */
const MAX_SESSIONS = 500;

/** One who watches. */
export interface ViewerReport {
  readonly format: LiveFormat;
  readonly transport: string;
  /** Frames that his network was too slow for. */
  readonly droppedFrames: number;
}

/** A live session, as operators see it. */
export interface SessionReport {
  readonly id: string;
  readonly avatar: string;
  /** Null where no tenant made it. */
  readonly tenant: string | null;
  /** ISO 8601. */
  readonly created: string;
  readonly ageS: number;
  /** Until it ends, whatever happens. */
  readonly remainingS: number;
  readonly isSpeaking: boolean;
  readonly viewers: readonly ViewerReport[];
  /** Connections that take part, those of viewers and of speakers. */
  readonly participants: number;
  /** Since it began. */
  readonly shownFrames: number;
  /** Frames that came too late. */
  readonly skippedFrames: number;
  /** Frames that could not be made. */
  readonly lostFrames: number;
}

export interface LiveReport {
  /** `live.max_sessions`. */
  readonly max: number;
  readonly count: number;
  /** Since the start. */
  readonly opened: number;
  /** The oldest first, and not all when there are very many. */
  readonly sessions: readonly SessionReport[];
}

export function describeLive(live: LiveSessions): LiveReport {
  const all = live.all();
  return {
    max: live.settings.max_sessions,
    count: all.length,
    opened: live.opened,
    sessions: all.slice(0, MAX_SESSIONS).map(describeSession),
  };
}

function describeSession(known: KnownSession): SessionReport {
  const { session, lifetime, tenantId, createdAt, participants } = known;
  const { timeMs, shownFrames, skippedFrames, lostFrames } = session.stats;
  return {
    id: session.id,
    avatar: session.avatar.summary.id,
    tenant: tenantId,
    created: new Date(createdAt).toISOString(),
    ageS: Math.floor(timeMs / 1000),
    remainingS: Math.round(lifetime.remainingMs / 1000),
    isSpeaking: session.isSpeaking,
    viewers: session.viewers.map(({ format, report }) => ({
      format,
      transport: report?.transport ?? "unknown",
      droppedFrames: report?.droppedFrames ?? 0,
    })),
    participants: participants.size,
    shownFrames,
    skippedFrames,
    lostFrames,
  };
}
