import { type BinaryHeader, decodeBinary } from "../../edge/live/socket/binary-frame.ts";
import type { ServerMessage } from "../../edge/live/socket/server-message.ts";

export type Joined = Extract<ServerMessage, { type: "joined" }>;

/** How a connection ended. `code` is 1006 where there was none, or it was silent for too long. */
export interface Closed {
  readonly code: number;
  /** What the edge said last: the session's end, or an error's code. */
  readonly reason: string | null;
  readonly message: string | null;
  readonly retryAfterMs: number | null;
}

export interface LiveConnectionOptions {
  /** ws: or wss: */
  readonly url: URL;
  readonly token: string;
  /** What can be shown and played, the best first. */
  readonly video: readonly string[];
  readonly audio: readonly string[];
  readonly onJoined: (joined: Joined) => void;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onMedia: (header: BinaryHeader, body: Uint8Array<ArrayBuffer>) => void;
  /** Exactly once; nothing comes after it. */
  readonly onClosed: (closed: Closed) => void;
}

/** One WebSocket that has joined a session, or is about to: docs/live-protocol.md. */
export class LiveConnection {
  readonly #options: LiveConnectionOptions;
  readonly #socket: WebSocket;
  readonly #timer: ReturnType<typeof setInterval>;
  #heardMs = performance.now();
  #hasJoined = false;
  #isOver = false;
  #pings = 0;
  #pingedMs = -Infinity;
  #roundTripMs: number | null = null;
  #receivedBytes = 0;
  #reason: string | null = null;
  #message: string | null = null;
  #retryAfterMs: number | null = null;

  constructor(options: LiveConnectionOptions) {
    this.#options = options;
    const socket = new WebSocket(options.url);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const { token, video, audio } = options;
      this.send({ type: "join", protocol: 1, token, video, audio });
    };
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code }) => this.#over(code);
    this.#timer = setInterval(() => this.#watch(), WATCH_MS);
  }

  get roundTripMs(): number | null {
    return this.#roundTripMs;
  }

  /** Of media, in all. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  send(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  sendBinary(message: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  /** Leaves. `onClosed` is not called. */
  close(): void {
    this.send({ type: "leave" });
    this.#end();
  }

  /** Gives it up as lost: the network has changed. */
  abandon(): void {
    this.#over(ABNORMAL);
  }

  #received(data: unknown): void {
    if (this.#isOver) return;
    this.#heardMs = performance.now();
    if (typeof data === "string") {
      this.#told(data);
    } else if (data instanceof ArrayBuffer) {
      const message = decodeBinary(data);
      if (!message) return;
      this.#receivedBytes += data.byteLength;
      this.send({ type: "ack", sequence: message.header.sequence });
      this.#options.onMedia(message.header, message.body);
    }
  }

  #told(text: string): void {
    let message: ServerMessage;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    switch (message.type) {
      case "joined":
        this.#hasJoined = true;
        this.#options.onJoined(message);
        return;
      case "pong":
        if (message.id === this.#pings) this.#roundTripMs = performance.now() - this.#pingedMs;
        return;
      case "error":
        this.#reason = message.code;
        this.#message = message.message;
        this.#retryAfterMs = message.retryAfterS === undefined ? null : 1000 * message.retryAfterS;
        break;
      case "ended":
        this.#reason = message.reason;
        break;
    }
    this.#options.onMessage(message);
  }

  #watch(): void {
    const nowMs = performance.now();
    const limitMs = this.#hasJoined ? SILENCE_LIMIT_MS : JOIN_LIMIT_MS;
    if (nowMs - this.#heardMs > limitMs) {
      this.#over(ABNORMAL);
    } else if (this.#hasJoined && nowMs - this.#pingedMs >= PING_MS) {
      this.#pingedMs = nowMs;
      this.send({ type: "ping", id: ++this.#pings });
    }
  }

  #over(code: number): void {
    if (this.#isOver) return;
    this.#end();
    const [reason, message, retryAfterMs] = [this.#reason, this.#message, this.#retryAfterMs];
    this.#options.onClosed({ code, reason, message, retryAfterMs });
  }

  #end(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.onopen = null;
    this.#socket.close(1000);
  }
}

const ABNORMAL = 1006;
const WATCH_MS = 500;
/** The edge takes who is silent for 30 s for gone. */
const PING_MS = 5000;
/** Pictures come 25 times a second, and every ping is answered. */
const SILENCE_LIMIT_MS = 8000;
const JOIN_LIMIT_MS = 10_000;
