import { parseMessage } from "werift";
import type { IceLiteAgent } from "./ice-lite-agent.ts";
import type { IcePath } from "./ice-path.ts";

/** Larger STUN messages are nobody's check. */
const MAX_STUN_BYTES = 1280;

/** Brings what comes over shared sockets to the peer that it is for. */
export class IceRouter {
  readonly #agents = new Map<string, IceLiteAgent>();
  readonly #byPath = new Map<string, { readonly agent: IceLiteAgent; readonly path: IcePath }>();

  add(agent: IceLiteAgent): void {
    this.#agents.set(agent.ufrag, agent);
  }

  remove(agent: IceLiteAgent): void {
    this.#agents.delete(agent.ufrag);
    for (const key of agent.pathKeys) this.#forget(key, agent);
  }

  /** The path's connection has ended. */
  lose(path: IcePath): void {
    const known = this.#byPath.get(path.key);
    if (!known) return;
    this.#byPath.delete(path.key);
    known.agent.lose(known.path);
  }

  /** @returns whether it was somebody's */
  receive(data: Buffer, path: IcePath): boolean {
    // The first byte tells STUN from DTLS and SRTP (RFC 7983).
    if (data.length > 0 && data[0]! < 4) return this.#check(data, path);
    const known = this.#byPath.get(path.key);
    known?.agent.receive(data);
    return known !== undefined;
  }

  #check(data: Buffer, path: IcePath): boolean {
    if (data.length > MAX_STUN_BYTES) return false;
    const userName: unknown = parseMessage(data)?.getAttributeValue("USERNAME");
    if (typeof userName !== "string") return false;
    const agent = this.#agents.get(userName.split(":", 1)[0]!);
    if (!agent) return false;
    const known = this.#byPath.get(path.key);
    const mine = known?.agent === agent ? known.path : path;
    const forgotten = agent.check(data, mine);
    if (forgotten === false) return false;
    if (forgotten !== null) this.#forget(forgotten, agent);
    if (known?.agent !== agent) this.#byPath.set(path.key, { agent, path: mine });
    return true;
  }

  #forget(key: string, agent: IceLiteAgent): void {
    if (this.#byPath.get(key)?.agent === agent) this.#byPath.delete(key);
  }
}
