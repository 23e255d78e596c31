import type { Duplex } from "node:stream";

/** Lengths of header and payload, u32 little-endian each. */
const PREFIX_BYTES = 8;
/** A header is a few hundred bytes; more means that the stream is out of step. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

export const NO_PAYLOAD = new Uint8Array(0);

export type OnMessage<T> = (message: T, payload: Uint8Array<ArrayBuffer>) => void;

/**
 * Messages over a pipe between two of our own processes: a JSON header and raw
 * bytes. Node's own IPC would serialise the pixels; this hands them to the
 * kernel as they are.
 *
 * @param onMessage Called in order. The payload owns its ArrayBuffer, so it can be transferred.
 * @returns `send`
 */
export function openMessageChannel<In, Out>(
  stream: Duplex,
  onMessage: OnMessage<In>,
): (message: Out, payload?: Uint8Array) => void {
  const reader = new MessageReader<In>(onMessage);
  stream.on("data", (chunk: Uint8Array) => {
    try {
      reader.push(chunk);
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
  return (message, payload = NO_PAYLOAD) => {
    if (stream.destroyed || stream.writableEnded) return;
    const header = Buffer.from(JSON.stringify(message));
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32LE(header.length, 0);
    prefix.writeUInt32LE(payload.length, 4);
    stream.cork();
    stream.write(prefix);
    stream.write(header);
    if (payload.length > 0) stream.write(payload);
    stream.uncork();
  };
}

/** Puts messages together from chunks of any size. */
export class MessageReader<T> {
  readonly #onMessage: OnMessage<T>;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #part: "prefix" | "header" | "payload" = "prefix";
  #bytes: Uint8Array<ArrayBuffer> = this.#prefix;
  #filled = 0;
  #payloadBytes = 0;
  #message: T | undefined;

  constructor(onMessage: OnMessage<T>) {
    this.#onMessage = onMessage;
  }

  push(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length) {
      const take = Math.min(chunk.length - offset, this.#bytes.length - this.#filled);
      this.#bytes.set(chunk.subarray(offset, offset + take), this.#filled);
      this.#filled += take;
      offset += take;
      while (this.#filled === this.#bytes.length) this.#finishPart();
    }
  }

  #finishPart(): void {
    if (this.#part === "prefix") {
      const view = new DataView(this.#prefix.buffer);
      const headerBytes = view.getUint32(0, true);
      if (headerBytes === 0 || headerBytes > MAX_HEADER_BYTES) {
        throw new Error(`a message header of ${headerBytes} bytes: the stream is out of step`);
      }
      this.#payloadBytes = view.getUint32(4, true);
      this.#expect("header", new Uint8Array(headerBytes));
    } else if (this.#part === "header") {
      // Both ends are our own processes of the same version.
      this.#message = JSON.parse(new TextDecoder().decode(this.#bytes)) as T;
      this.#expect("payload", new Uint8Array(this.#payloadBytes));
    } else {
      const message = this.#message!;
      const payload = this.#bytes;
      this.#expect("prefix", this.#prefix);
      this.#onMessage(message, payload);
    }
  }

  #expect(part: "prefix" | "header" | "payload", bytes: Uint8Array<ArrayBuffer>): void {
    this.#part = part;
    this.#bytes = bytes;
    this.#filled = 0;
  }
}
