/** Reads exact counts of bytes and lines from a stream, whatever its chunks are. */
export class ByteReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** `count` bytes in memory of their own, or null when the stream ends before. */
  async bytes(count: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const bytes = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (!(await this.#fill())) return null;
      const taken = this.#chunk.subarray(this.#at, this.#at + count - filled);
      bytes.set(taken, filled);
      filled += taken.length;
      this.#at += taken.length;
    }
    return bytes;
  }

  /**
   * A line without its CRLF (or LF), as Latin-1, which is what HTTP header
   * lines are. The end of the stream ends a line too; null when nothing is left,
   * `TOO_LONG` past `maxBytes`.
   */
  async line(maxBytes: number): Promise<string | null | typeof TOO_LONG> {
    let line = "";
    while (await this.#fill()) {
      const feed = this.#chunk.indexOf(LINE_FEED, this.#at);
      const end = feed < 0 ? this.#chunk.length : feed;
      if (line.length + end - this.#at > maxBytes) return TOO_LONG;
      for (let i = this.#at; i < end; i++) line += String.fromCharCode(this.#chunk[i]!);
      this.#at = end;
      if (feed >= 0) {
        this.#at++;
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
    }
    return line === "" ? null : line;
  }

  /** Tells the sender that nothing more is wanted. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }

  /** Makes sure that the current chunk has a byte left; false at the end. */
  async #fill(): Promise<boolean> {
    while (this.#at >= this.#chunk.length) {
      const { done, value } = await this.#reader.read();
      if (done) return false;
      this.#chunk = value;
      this.#at = 0;
    }
    return true;
  }
}

export const TOO_LONG = Symbol("line too long");
const LINE_FEED = 10;
