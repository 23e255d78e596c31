import { randomBytes } from "node:crypto";
import { classes, Event, Message, methods, parseMessage } from "werift";
import type { Clock } from "../../../avatar/clock.ts";
import type { IcePath } from "./ice-path.ts";

/** A phone that goes from one network to another needs two or three. */
const MAX_PATHS = 8;

export interface IceLiteAgentOptions {
  readonly clock: Clock;
  /** The peer's part of the user name, from its offer. */
  readonly remoteUfrag: string;
  /** There is a path for the first time. */
  readonly onConnected: () => void;
}

/**
 * The ICE-lite agent of one peer (RFC 8445, 2.5): answers checks, makes none.
 * A check counts only with the right password; werift's own agent does not look.
 */
export class IceLiteAgent {
  /** ice-char has 64 of them, so base64 does but for its padding; 96 and 192 bits. */
  readonly ufrag = randomBytes(12).toString("base64");
  readonly password = randomBytes(24).toString("base64");
  /** What is no STUN: DTLS, RTCP. */
  readonly onData = new Event<[Buffer]>();
  readonly #options: IceLiteAgentOptions;
  readonly #key = Buffer.from(this.password, "utf8");
  /** Paths whose checks were right, oldest first. */
  readonly #paths = new Map<string, IcePath>();
  #selected: IcePath | null = null;
  #seenAtMs: number;
  #wasConnected = false;
  #isClosed = false;

  constructor(options: IceLiteAgentOptions) {
    this.#options = options;
    this.#seenAtMs = options.clock.now();
  }

  /** Milliseconds since the last check: consent to send (RFC 7675) is renewed by them. */
  get silenceMs(): number {
    return this.#options.clock.now() - this.#seenAtMs;
  }

  get pathKeys(): readonly string[] {
    return [...this.#paths.keys()];
  }

  /** Over which data goes; null before there is one. */
  get selected(): IcePath | null {
    return this.#selected;
  }

  /**
   * A STUN message whose user name begins with our ufrag.
   * @returns the key of a path that is forgotten for it; null for none; false when it is not the peer's
   */
  check(data: Buffer, path: IcePath): string | null | false {
    if (this.#isClosed) return false;
    const message = parseMessage(data, this.#key);
    if (message?.messageMethod !== methods.BINDING) return false;
    if (message.messageClass !== classes.REQUEST) return false;
    const userName: unknown = message.getAttributeValue("USERNAME");
    if (userName !== `${this.ufrag}:${this.#options.remoteUfrag}`) return false;
    const names = message.attributesKeys;
    if (names.includes("ICE-CONTROLLED")) {
      // The other end is lite too, or mistaken: one of us has to make checks (RFC 8445, 7.3.1.1).
      this.#respond(message, path, [487, "Role Conflict"]);
      return false;
    }
    this.#seenAtMs = this.#options.clock.now();
    this.#respond(message, path, null);
    const forgotten = this.#remember(path);
    if (names.includes("USE-CANDIDATE")) this.#select(path);
    return forgotten;
  }

  /** Something from a path that is known. */
  receive(data: Buffer): void {
    if (!this.#isClosed) this.onData.execute(data);
  }

  /** The path is gone, as a TCP connection is that was closed. */
  lose(path: IcePath): void {
    this.#paths.delete(path.key);
    if (this.#selected === path) this.#selected = null;
  }

  send(data: Uint8Array): void {
    this.#selected?.send(data);
  }

  close(): void {
    this.#isClosed = true;
    this.#selected = null;
    this.#paths.clear();
    this.onData.complete();
  }

  /** The latest nomination holds: a peer that moves takes its stream along. */
  #select(path: IcePath): void {
    this.#selected = this.#paths.get(path.key) ?? path;
    if (this.#wasConnected) return;
    this.#wasConnected = true;
    this.#options.onConnected();
  }

  #remember(path: IcePath): string | null {
    if (this.#paths.has(path.key)) return null;
    this.#paths.set(path.key, path);
    if (this.#paths.size <= MAX_PATHS) return null;
    for (const [key, known] of this.#paths) {
      if (known === this.#selected) continue;
      this.#paths.delete(key);
      return key;
    }
    return null;
  }

  #respond(request: Message, path: IcePath, error: [code: number, reason: string] | null): void {
    const kind = error ? classes.ERROR : classes.RESPONSE;
    const response = new Message(methods.BINDING, kind, request.transactionId);
    if (error) response.setAttribute("ERROR-CODE", error);
    else response.setAttribute("XOR-MAPPED-ADDRESS", [path.address, path.port]);
    path.send(response.addMessageIntegrity(this.#key).addFingerprint().bytes);
  }
}
