import { issueTurnCredential, type TurnSettings } from "./turn-credentials.ts";

/** What a client may use to find a way to us. */
export interface IceServers {
  /** `stun:` URLs. */
  readonly stun: readonly string[];
  readonly turn: TurnSettings | null;
}

/**
 * The values of `Link` headers that tell a WHEP client its ICE servers
 * (draft-ietf-wish-whep, 4.6): STUN as they are, TURN with credentials of its own.
 * @param id whose the credentials are
 * @param unixMs Unix time in milliseconds
 */
export async function iceServerLinks(
  { stun, turn }: IceServers,
  id: string,
  unixMs: number,
): Promise<string[]> {
  const links = stun.map((url) => `<${url}>; rel="ice-server"`);
  if (!turn) return links;
  const { username, password } = await issueTurnCredential(turn, id, unixMs);
  for (const url of turn.urls) {
    links.push(
      `<${url}>; rel="ice-server"; username="${username}"; credential="${password}"; credential-type="password"`,
    );
  }
  return links;
}
