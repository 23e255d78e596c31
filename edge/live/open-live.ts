import { type Clock, systemClock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { Access } from "../access/access.ts";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import type { OwnMouths } from "../background/own-mouths.ts";
import type { EdgeConfig } from "../config.ts";
import type { CoreClient } from "../core/core-client.ts";
import type { Composers } from "../speak/composers.ts";
import { endRepublished } from "./end-republished.ts";
import { JoinTokens } from "./join-tokens.ts";
import { LiveSession } from "./live-session.ts";
import { LiveSessions } from "./live-sessions.ts";
import type { LiveServiceOptions } from "./rpc/live-service.ts";
import { createLiveSockets } from "./socket/live-sockets.ts";
import { openSoundCoder } from "./socket/open-sound-coder.ts";

export interface OpenLiveOptions {
  readonly config: Pick<EdgeConfig, "live">;
  readonly access: Access;
  readonly directory: AvatarDirectory;
  readonly composers: Composers;
  readonly mouths: OwnMouths;
  readonly core: CoreClient;
  readonly logger: Logger;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/** Puts together what live sessions need. */
export function openLive(options: OpenLiveOptions) {
  const { config, access, directory, composers, mouths, core, logger } = options;
  const clock = options.clock ?? systemClock;
  const settings = config.live;
  const date = () => Date.now();
  const tokens = new JoinTokens({
    keys: access.tokenKeys,
    audience: access.audience,
    lifetimeS: settings.join_s,
    date,
  });
  const sessions = new LiveSessions({
    settings,
    clock,
    date,
    logger,
    open: (id, avatar) => {
      const session = new LiveSession({
        id,
        avatar,
        composer: (format) => composers.open(avatar, format),
        core,
        ownMouth: (index) => mouths.get(avatar, index),
        clock,
        logger,
        limits: { maxSpeechAheadS: settings.max_speech_ahead_s },
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
