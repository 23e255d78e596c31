import type { LiveSocket } from "./live-socket.ts";

/** More than a slow reader is ever sent: whoever does not empty it is gone. */
const MAX_MESSAGES = 512;

interface Waiting {
  readonly message: string | Uint8Array<ArrayBuffer>;
  /** Of the sound that it holds; null for everything else. */
  readonly soundOf: number | null;
}

/**
 * Messages on their way into a socket, written where the socket was accepted: in
 * Workers nobody else may touch it, and what a session tells comes from the
 * request of another connection.
 */
export class Outbox {
  readonly #socket: LiveSocket;
  #waiting: Waiting[] = [];
  #wake = Promise.withResolvers<void>();
  #close: { readonly code: number; readonly reason: string } | null = null;
  #isOver = false;

  constructor(socket: LiveSocket) {
    this.#socket = socket;
    void this.#write();
  }

  /** Whether anything can still be sent. */
  get isOpen(): boolean {
    return !this.#isOver && this.#close === null;
  }

  /** @param soundOf the segment whose sound it is */
  push(message: string | Uint8Array<ArrayBuffer>, soundOf: number | null = null): void {
    if (!this.isOpen || this.#waiting.length >= MAX_MESSAGES) return;
    this.#waiting.push({ message, soundOf });
    this.#wake.resolve();
  }

  /** Drops the sound of segments up to this one. */
  dropSound(segment: number): void {
    this.#waiting = this.#waiting.filter(({ soundOf }) => soundOf === null || soundOf > segment);
  }

  /** Closes the socket behind what waits. */
  close(code: number, reason: string): void {
    this.#close ??= { code, reason };
    this.#wake.resolve();
  }

  /** The socket is closed. */
  closed(): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#wake.resolve();
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      const next = this.#waiting.shift();
      if (next) {
        this.#socket.send(next.message);
        continue;
      }
      if (this.#close) {
        this.#socket.close(this.#close.code, this.#close.reason);
        return;
      }
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }
}
