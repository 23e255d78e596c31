import { Code, ConnectError } from "@connectrpc/connect";

/** Events of more than a minute: whoever has taken none of them is gone. */
const MAX_EVENTS = 512;

/** Events on their way to one caller, in order; whoever does not take them loses his call. */
export class EventQueue<Event> implements AsyncIterable<Event> {
  #waiting: Event[] = [];
  #wake = Promise.withResolvers<void>();
  #isOver = false;
  #error: ConnectError | null = null;

  get isOpen(): boolean {
    return !this.#isOver;
  }

  push(event: Event): void {
    if (this.#isOver) return;
    if (this.#waiting.length >= MAX_EVENTS) {
      const message = `${MAX_EVENTS} events were not taken: read what the call answers`;
      this.fail(new ConnectError(message, Code.ResourceExhausted));
      return;
    }
    this.#waiting.push(event);
    this.#wake.resolve();
  }

  /** Ends behind what waits. */
  end(): void {
    this.#isOver = true;
    this.#wake.resolve();
  }

  /** Ends at once. */
  fail(error: ConnectError): void {
    if (this.#isOver) return;
    this.#waiting = [];
    this.#error = error;
    this.end();
  }

  /** @throws ConnectError it has failed with */
  async *[Symbol.asyncIterator](): AsyncGenerator<Event> {
    for (;;) {
      const [event] = this.#waiting.splice(0, 1);
      if (event !== undefined) {
        yield event;
        continue;
      }
      if (this.#error) throw this.#error;
      if (this.#isOver) return;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }
}
