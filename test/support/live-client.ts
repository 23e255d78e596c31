import {
  type BinaryHeader,
  decodeBinary,
  encodeBinary,
} from "../../edge/live/socket/binary-frame.ts";
import type { ServerMessage } from "../../edge/live/socket/server-message.ts";

const WAIT_MS = 10_000;
/** Samples of a message: a fifth of a second. */
const CHUNK = 3200;

export type Told<Type extends ServerMessage["type"]> = Extract<ServerMessage, { type: Type }>;

export interface ReceivedBinary extends BinaryHeader {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly atMs: number;
}

/** A client of the live protocol that does no more than the protocol asks for. */
export class LiveClient {
  readonly messages: ServerMessage[] = [];
  readonly binaries: ReceivedBinary[] = [];
  closed: { code: number; reason: string } | null = null;
  /** Whether what arrives is acknowledged. */
  acknowledges = true;
  readonly socket: WebSocket;
  readonly #waiting = new Set<() => void>();

  private constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.messages.push(JSON.parse(data) as ServerMessage);
      else this.#binary(data as ArrayBuffer);
      this.#wake();
    };
    this.socket.onclose = ({ code, reason }) => {
      this.closed = { code, reason };
      this.#wake();
    };
    this.socket.onopen = () => this.#wake();
    this.socket.onerror = () => this.#wake();
  }

  /** @param path of the socket @param edgeUrl http://... */
  static async open(edgeUrl: string, path: string): Promise<LiveClient> {
    const client = new LiveClient(edgeUrl.replace(/^http/, "ws") + path);
    await client.until("it opens", () => client.socket.readyState === WebSocket.OPEN || null);
    return client;
  }

  /** Opens and joins. */
  static async join(
    edgeUrl: string,
    session: { readonly urls: { readonly socket: string } },
    token: string,
    offer: object = {},
  ): Promise<LiveClient> {
    const client = await LiveClient.open(edgeUrl, session.urls.socket);
    client.send({ type: "join", protocol: 1, token, ...offer });
    await client.told("joined");
    return client;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** All of `samples`, in pieces, as fast as it goes. */
  say(samples: Int16Array, epoch = 0, isEnd = true): void {
    for (let at = 0; at < samples.length; at += CHUNK) {
      const part = Int16Array.from(samples.subarray(at, at + CHUNK));
      const header = { kind: "speech", isKeyFrame: false, timestampMs: 0, sequence: 0 } as const;
      this.socket.send(encodeBinary({ ...header, segment: epoch }, [new Uint8Array(part.buffer)]));
    }
    if (isEnd) this.send({ type: "speech_end" });
  }

  /** The first message of a type that fits. */
  told<Type extends ServerMessage["type"]>(
    type: Type,
    fits: (message: Told<Type>) => boolean = () => true,
  ): Promise<Told<Type>> {
    const isIt = (message: ServerMessage): message is Told<Type> =>
      message.type === type && fits(message as Told<Type>);
    return this.until(type, () => this.messages.find(isIt) ?? null);
  }

  all<Type extends ServerMessage["type"]>(type: Type): Told<Type>[] {
    return this.messages.filter((message): message is Told<Type> => message.type === type);
  }

  /** @param look null while it has not come to pass */
  async until<T>(what: string, look: () => T | null): Promise<T> {
    const latest = performance.now() + WAIT_MS;
    for (;;) {
      const found = look();
      if (found !== null) return found;
      const leftMs = latest - performance.now();
      if (leftMs <= 0 || this.closed) {
        const last = JSON.stringify(this.messages.slice(-5));
        const closed = JSON.stringify(this.closed);
        throw new Error(`${what}: it did not come. Closed: ${closed}; last: ${last}`);
      }
      await this.#next(leftMs);
    }
  }

  /** Code and reason. */
  async ended(): Promise<{ code: number; reason: string }> {
    const latest = performance.now() + WAIT_MS;
    while (!this.closed) {
      if (performance.now() > latest) throw new Error("it was not closed");
      await this.#next(latest - performance.now());
    }
    return this.closed;
  }

  /** All that was heard of a segment, of PCM. */
  heard(segment: number): Int16Array {
    const parts = this.binaries.filter((each) => each.kind === "pcm" && each.segment === segment);
    return Int16Array.from(parts.flatMap(({ body }) => [...new Int16Array(body.slice().buffer)]));
  }

  pictures(): ReceivedBinary[] {
    return this.binaries.filter(({ kind }) => kind === "jpeg" || kind === "h264");
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.ended();
  }

  #binary(data: ArrayBuffer): void {
    const message = decodeBinary(data);
    if (!message) throw new Error("a binary message that is none");
    const { header, body } = message;
    this.binaries.push({ ...header, body, atMs: performance.now() });
    if (this.acknowledges) this.send({ type: "ack", sequence: header.sequence });
  }

  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(1, ms));
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
