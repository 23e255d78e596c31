/** Who shares a worker: the requests of one model with one priority. */
export interface Flow {
  /** Whether it has something to run now. */
  isReady(): boolean;
  /** What it may still use before others have their turn. Kept by FairQueue. */
  deficit: number;
  /** Which list it is in. Kept by FairQueue. */
  list: "fresh" | "steady" | null;
}

/** Debt is forgotten beyond so many quanta: one batch that hung must not silence a model for minutes. */
const MAX_DEBT_QUANTA = 4;

/**
 * Deficit round-robin between flows (Shreedhar and Varghese, 1995) with the
 * two lists of FQ-CoDel (RFC 8290, section 4.2): a flow that comes back from
 * being idle is served before those that always wait, until it has used one
 * quantum. A tenant who talks gets his frames at once next to one who renders
 * a backlog, and neither can get more than the share of a waiting flow by
 * pausing, because an emptied fresh flow has to go once through the other list.
 */
export class FairQueue<F extends Flow> {
  readonly #fresh: F[] = [];
  readonly #steady: F[] = [];

  /** Call it when a flow may have become ready. */
  activate(flow: F, quantum: number): void {
    if (flow.list !== null) return;
    flow.deficit = quantum;
    flow.list = "fresh";
    this.#fresh.push(flow);
  }

  /**
   * The flow whose turn it is; null when none is ready.
   * @param quantum in the units of `charge`
   */
  next(quantum: number): F | null {
    for (;;) {
      const flow = this.#fresh[0] ?? this.#steady[0];
      if (!flow) return null;
      if (flow.deficit <= 0) {
        flow.deficit += quantum;
        this.#toSteadyEnd(flow);
      } else if (flow.isReady()) {
        return flow;
      } else if (flow.list === "fresh") {
        this.#toSteadyEnd(flow);
      } else {
        this.remove(flow);
      }
    }
  }

  /** What a flow used, or with a negative cost what it was charged too much. */
  charge(flow: F, cost: number, quantum: number): void {
    flow.deficit = Math.max(flow.deficit - cost, -MAX_DEBT_QUANTA * quantum);
  }

  remove(flow: F): void {
    for (const list of [this.#fresh, this.#steady]) {
      const at = list.indexOf(flow);
      if (at >= 0) list.splice(at, 1);
    }
    flow.list = null;
  }

  #toSteadyEnd(flow: F): void {
    this.remove(flow);
    flow.list = "steady";
    this.#steady.push(flow);
  }
}
