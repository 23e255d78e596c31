import type { CoreModel } from "../core/core-inspector.ts";
import type { CoreNode } from "../core/fleet/core-node.ts";
import type { Sharing } from "../parts.ts";
import { waitAtMost } from "../time-limit.ts";

/** What a core has said of its models is good for so long. */
const FRESH_MS = 5000;
/** A core that has not answered by then is told to be silent. */
const ASK_LIMIT_MS = 2000;
const SILENT = `no answer within ${ASK_LIMIT_MS / 1000} s`;
/** An operator does not wait longer for what a core says. */
const PATIENCE_MS = 300;

/** What is known of a core's models. */
export interface CoreModels {
  /** Null before the first answer. */
  readonly models: readonly CoreModel[] | null;
  /** How old that is, in milliseconds; null before the first answer. */
  readonly ageMs: number | null;
  /** Why there is nothing newer; null when nothing is wrong. */
  readonly problem: string | null;
}

interface Inspection {
  models: readonly CoreModel[] | null;
  atMs: number | null;
  problem: string | null;
  /** When it was asked last. */
  askedMs: number;
  asking: Promise<void> | null;
}

/** What the cores say of their models, asked for while somebody looks, and never waited for long. */
export class CoreInspections {
  readonly #now: () => number;
  readonly #keepAlive: Sharing["keepAlive"];
  readonly #known = new WeakMap<CoreNode, Inspection>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number, { keepAlive }: Sharing) {
    this.#now = now;
    this.#keepAlive = keepAlive;
  }

  /** @returns in the order of `nodes` */
  async look(nodes: readonly CoreNode[]): Promise<readonly CoreModels[]> {
    const asking = nodes.map((node) => this.#ask(node)).filter((each) => each !== null);
    if (asking.length > 0) await waitAtMost(Promise.all(asking), PATIENCE_MS);
    return nodes.map((node) => this.#describe(node));
  }

  #ask(node: CoreNode): Promise<void> | null {
    const { inspector } = node;
    if (!inspector) return null;
    const nowMs = this.#now();
    const known = this.#known.get(node) ?? {
      models: null,
      atMs: null,
      problem: null,
      askedMs: Number.NEGATIVE_INFINITY,
      asking: null,
    };
    this.#known.set(node, known);
    if (known.asking && nowMs - known.askedMs < ASK_LIMIT_MS) return known.asking;
    // In Workers one that began with a request that has ended may never come back.
    if (known.asking) Object.assign(known, { asking: null, problem: SILENT });
    if (nowMs - known.askedMs < FRESH_MS) return null;
    known.askedMs = nowMs;
    const limit = AbortSignal.timeout(ASK_LIMIT_MS);
    const asking = inspector.models(limit).then(
      (models) => {
        Object.assign(known, { models, atMs: this.#now(), problem: null, asking: null });
      },
      (error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        known.problem = limit.aborted ? SILENT : why;
        known.asking = null;
      },
    );
    known.asking = asking;
    this.#keepAlive(asking);
    return asking;
  }

  #describe(node: CoreNode): CoreModels {
    const known = this.#known.get(node);
    if (!known) return { models: null, ageMs: null, problem: "it cannot be asked from here" };
    const { models, atMs, problem } = known;
    const ageMs = atMs === null ? null : Math.round(this.#now() - atMs);
    const waits = models === null && known.asking !== null ? "it has not answered yet" : null;
    return { models, ageMs, problem: problem ?? waits };
  }
}
