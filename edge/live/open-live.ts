import { LRUCache } from "lru-cache";
import { type Clock, systemClock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { Access } from "../access/access.ts";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import type { OwnMouths } from "../background/own-mouths.ts";
import type { EdgeConfig } from "../config.ts";
import type { CoreClient } from "../core/core-client.ts";
import type { Sharing } from "../parts.ts";
import type { Composers } from "../speak/composers.ts";
import { endRepublished } from "./end-republished.ts";
import { JoinTokens } from "./join-tokens.ts";
import { LeadEstimate } from "./lead-estimate.ts";
import { LiveSession } from "./live-session.ts";
import { LiveSessions } from "./live-sessions.ts";
import type { LiveServiceOptions } from "./rpc/live-service.ts";
import { createLiveSockets } from "./socket/live-sockets.ts";
import { openSoundCoder } from "./socket/open-sound-coder.ts";

/** Avatars of which it is remembered how long the core takes. */
const MAX_LEADS = 1000;
/** Whoever speaks sooner waits for the model by his own call. */
const WARM_UP_LIMIT_MS = 30_000;

export interface OpenLiveOptions {
  readonly config: Pick<EdgeConfig, "live">;
  readonly access: Access;
  readonly directory: AvatarDirectory;
  readonly composers: Composers;
  readonly mouths: OwnMouths;
  readonly core: CoreClient;
  readonly sharing: Sharing;
  readonly logger: Logger;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/** Puts together what live sessions need. */
export function openLive(options: OpenLiveOptions) {
  const { config, access, directory, composers, mouths, core, sharing, logger } = options;
  const clock = options.clock ?? systemClock;
  const settings = config.live;
  const date = () => Date.now();
  const tokens = new JoinTokens({
    keys: access.tokenKeys,
    audience: access.audience,
    lifetimeS: settings.join_s,
    date,
  });
  const leads = new LRUCache<string, LeadEstimate>({ max: MAX_LEADS });
  const leadOf = (avatarId: string) => {
    const lead = leads.get(avatarId) ?? new LeadEstimate();
    leads.set(avatarId, lead);
    return lead;
  };
  const sessions = new LiveSessions({
    settings,
    clock,
    date,
    logger,
    open: (id, avatar) => {
      sharing.keepAlive(warmUp(options, id, avatar.summary.id));
      const session = new LiveSession({
        id,
        avatar,
        composer: (format) => composers.open(avatar, format),
        core,
        ownMouth: (index) => mouths.get(avatar, index),
        clock,
        logger,
        limits: { maxSpeechAheadS: settings.max_speech_ahead_s },
        lead: leadOf(avatar.summary.id),
      });
      endRepublished(session, directory);
      return session;
    },
  });
  const connect = createLiveSockets({
    access,
    directory,
    sessions,
    tokens,
    composers,
    openCoder: (codec) => openSoundCoder(codec, logger),
    clock,
    logger,
  });
  const service: LiveServiceOptions = { access, directory, sessions, tokens, logger };
  return { sessions, tokens, connect, service };
}

/** Has the model loaded while its viewer is on the way: the first words would wait for it. */
async function warmUp(
  { core, logger }: OpenLiveOptions,
  session: string,
  avatar: string,
): Promise<void> {
  const signal = AbortSignal.timeout(WARM_UP_LIMIT_MS);
  try {
    await core.loadModel(avatar, { signal, requestId: session });
  } catch (error) {
    // Nobody waits for it; who speaks is told what is wrong then.
    logger.warn("the model of a live session is not ready", {
      session,
      avatar,
      error: String(error),
    });
  }
}
