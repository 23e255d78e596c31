import type { PublishedAvatar } from "../../../avatar/catalogue.ts";
import type { Clock } from "../../../avatar/clock.ts";
import type { Logger } from "../../../avatar/logger.ts";
import type { LiveFormat } from "../live-media.ts";
import type { LiveSettings } from "../live-settings.ts";
import type { ClientMessage } from "./client-message.ts";
import type { Joined } from "./join-session.ts";
import type { Outbox } from "./outbox.ts";
import type { SoundCodec } from "./server-message.ts";
import type { SoundCoder } from "./sound-coder.ts";

export interface ParticipantOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: LiveSettings;
  readonly joined: Joined;
  /** What the client can show and play. */
  readonly offer: Extract<ClientMessage, { type: "join" }>;
  readonly outbox: Outbox;
  /** Ends the connection. */
  readonly close: (code: number, reason: string) => void;
  /** Whether the avatar can be had in a format. */
  readonly canShow: (avatar: PublishedAvatar, format: LiveFormat) => boolean;
  /** A coder for one viewer; null where this runtime has none. */
  readonly openCoder: (codec: SoundCodec) => SoundCoder | null;
  /** Of what failed, for the client. */
  readonly explain: (error: unknown) => string;
}
