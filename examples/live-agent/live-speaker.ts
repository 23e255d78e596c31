/** Gives a live session its words: docs/live-protocol.md, from the side of an agent. */

const PROTOCOL = 1;
const HEADER_BYTES = 16;
const SPEECH_KIND = 16;
const PING_MS = 10_000;

/** What the session tells; more in the protocol's description. */
export interface SessionMessage {
  readonly type: string;
  readonly segment?: number;
  readonly playedMs?: number;
  readonly reason?: string;
  readonly detail?: string;
  readonly message?: string;
  readonly epoch?: number;
  readonly samples?: number;
  readonly speechWindow?: number;
  readonly inMs?: number;
  readonly id?: number;
}

export interface LiveSpeakerOptions {
  /** ws://... */
  readonly url: string;
  /** The session's `speakerToken`. */
  readonly token: string;
  readonly onMessage: (message: SessionMessage) => void;
}

/** A speaker that has joined a session. */
export class LiveSpeaker {
  readonly #socket: WebSocket;
  readonly #options: LiveSpeakerOptions;
  #epoch = 0;
  /** Samples that have been sent, and that may be. */
  #sent = 0;
  #window = 0;
  #wake = Promise.withResolvers<void>();
  readonly #joined = Promise.withResolvers<void>();
  readonly closed: Promise<string>;

  constructor(options: LiveSpeakerOptions) {
    this.#options = options;
    this.#socket = new WebSocket(options.url);
    this.#socket.onopen = () => {
      this.#tell({ type: "join", protocol: PROTOCOL, token: options.token });
    };
    this.#socket.onmessage = ({ data }) => this.#hear(JSON.parse(String(data)));
    // Who says nothing for half a minute is taken for gone.
    const pings = setInterval(() => this.#tell({ type: "ping" }), PING_MS);
    this.closed = new Promise((resolve) => {
      this.#socket.onclose = ({ code, reason }) => {
        clearInterval(pings);
        this.#joined.reject(new Error(`the session was not joined: ${reason || code}`));
        this.#wake.resolve();
        resolve(reason || String(code));
      };
    });
    this.#joined.promise.catch(() => {});
  }

  /** Ends when the session has let this speaker in. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  /**
   * Says something: one segment, sent as fast as the session takes it.
   * @param speech 16-bit mono, 16 kHz
   */
  async say(speech: AsyncIterable<Int16Array>): Promise<void> {
    const epoch = this.#epoch;
    for await (const samples of speech) {
      // Interrupted: the rest is nobody's interest any more.
      if (!(await this.push(samples, epoch))) return;
    }
    this.endSegment(epoch);
  }

  /** Grows with each interruption: speech is of the one in which it began. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * Sends speech, when the session takes it.
   * @param samples 16-bit mono, 16 kHz; four seconds at most
   * @returns false when the session is over, or another epoch has begun
   */
  async push(samples: Int16Array, epoch: number): Promise<boolean> {
    const isWanted = () => epoch === this.#epoch && this.#isOpen;
    while (this.#sent + samples.length > this.#window && isWanted()) await this.#wake.promise;
    if (!isWanted()) return false;
    this.#sent += samples.length;
    this.#socket.send(speechMessage(samples, epoch));
    return true;
  }

  /** What was pushed is all of it. */
  endSegment(epoch: number): void {
    this.#tell({ type: "speech_end", epoch });
  }

  /** Answered by `pong` with the same id, behind all that follows from what was sent before. */
  ping(id: number): void {
    this.#tell({ type: "ping", id });
  }

  interrupt(): void {
    this.#tell({ type: "interrupt" });
  }

  leave(): void {
    this.#tell({ type: "leave" });
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  #hear(message: SessionMessage): void {
    if (message.type === "joined" || message.type === "interrupted") {
      this.#epoch = message.epoch ?? 0;
    }
    this.#window = message.speechWindow ?? message.samples ?? this.#window;
    if (message.type === "joined") this.#joined.resolve();
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
    this.#options.onMessage(message);
  }

  #tell(message: object): void {
    if (this.#isOpen) this.#socket.send(JSON.stringify(message));
  }
}

function speechMessage(samples: Int16Array, epoch: number): ArrayBuffer {
  const message = new Uint8Array(HEADER_BYTES + 2 * samples.length);
  const view = new DataView(message.buffer);
  view.setUint8(0, PROTOCOL);
  view.setUint8(1, SPEECH_KIND);
  view.setUint32(12, epoch);
  message.set(new Uint8Array(samples.buffer, samples.byteOffset, 2 * samples.length), HEADER_BYTES);
  return message.buffer;
}
