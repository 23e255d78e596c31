import type { Access, Credentials } from "../../access/access.ts";
import type { Caller } from "../../access/caller.ts";
import type { AvatarDirectory } from "../../background/avatar-directory.ts";
import type { JoinTokens } from "../join-tokens.ts";
import { LiveError } from "../live-error.ts";
import type { KnownSession, LiveSessions } from "../live-sessions.ts";
import type { LiveRole } from "./server-message.ts";

export interface JoinOptions {
  readonly access: Access;
  readonly directory: AvatarDirectory;
  readonly sessions: LiveSessions;
  readonly tokens: JoinTokens;
}

/** Who has joined what. */
export interface Joined {
  readonly known: KnownSession;
  readonly role: LiveRole;
  readonly caller: Caller;
  readonly tokenId: string;
}

/**
 * Finds the session that a token is for. One that is not here is opened for a
 * viewer: where several processes or isolates serve, the session lives in the
 * one that its viewer reaches.
 *
 * @param wantedId of the URL; null where the token alone says which session it is
 * @param wantedRole the only one that will do; default: any
 * @throws RequestError 401, 403; LiveError `refused`, `no_session`, `ended`, `too_many`; AvatarError
 */
export async function joinSession(
  { access, directory, sessions, tokens }: JoinOptions,
  wantedId: string | null,
  token: string,
  credentials: Omit<Credentials, "authorization">,
  wantedRole: LiveRole | null = null,
): Promise<Joined> {
  const claims = await tokens.check(token);
  const { sessionId } = claims;
  if (wantedId !== null && sessionId !== wantedId) {
    throw new LiveError("refused", "the join token is that of another session");
  }
  if (wantedRole !== null && claims.role !== wantedRole) {
    throw new LiveError("refused", `a ${claims.role}'s token does not do: use a ${wantedRole}'s`);
  }
  const { role, id: tokenId, avatarId, isExpired } = claims;
  const caller = access.admitJoining(claims, credentials);
  const known = sessions.find(sessionId);
  if (isExpired && !known?.joined.has(tokenId)) {
    throw new LiveError("refused", "the join token has expired: open another session");
  }
  const found = known ?? (await open());
  sessions.remember(found, tokenId);
  return { known: found, role, caller, tokenId };

  async function open(): Promise<KnownSession> {
    const ended = sessions.whyEnded(sessionId);
    if (ended !== undefined) throw new LiveError("ended", `the session is over: ${ended}`);
    if (role === "speaker") {
      throw new LiveError(
        "no_session",
        "the session is not here: its viewer has not joined yet, or another process or isolate serves him",
      );
    }
    const avatar = await directory.get(avatarId, caller);
    // Somebody else may have opened it meanwhile.
    return sessions.find(sessionId) ?? sessions.open(sessionId, avatar, caller);
  }
}
