/** One that counts as long as it shows signs of life. */
export interface Lease {
  touch(): void;
  end(): void;
}

/**
 * Counts what is under way where its end may go unseen: in Workers a request
 * whose client has left may stop between two lines, `finally` included.
 */
export class Leases {
  readonly #now: () => number;
  readonly #lapseMs: number;
  /** Longest untouched first. */
  readonly #touchedAtMs = new Map<Lease, number>();

  /** @param lapseMs milliseconds after which one that was not touched counts no more */
  constructor(now: () => number, lapseMs: number) {
    this.#now = now;
    this.#lapseMs = lapseMs;
  }

  get count(): number {
    const oldest = this.#now() - this.#lapseMs;
    for (const [lease, touchedAtMs] of this.#touchedAtMs) {
      if (touchedAtMs >= oldest) break;
      this.#touchedAtMs.delete(lease);
    }
    return this.#touchedAtMs.size;
  }

  begin(): Lease {
    let isOver = false;
    const lease: Lease = {
      touch: () => {
        if (isOver) return;
        this.#touchedAtMs.delete(lease);
        this.#touchedAtMs.set(lease, this.#now());
      },
      end: () => {
        isOver = true;
        this.#touchedAtMs.delete(lease);
      },
    };
    lease.touch();
    return lease;
  }
}
