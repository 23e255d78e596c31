import type { Clock } from "../../../avatar/clock.ts";
import type { Logger } from "../../../avatar/logger.ts";
import type { Sharing } from "../../parts.ts";
import {
  type CallOptions,
  CoreCallError,
  type CoreClient,
  type MouthRegion,
  type SpeechCall,
} from "../core-client.ts";
import type { CoreInspector } from "../core-inspector.ts";
import { Attempt, isElsewhereBetter } from "./attempt.ts";
import { Budget } from "./budget.ts";
import { type CoreAddress, CoreNode } from "./core-node.ts";
import { rankNodes } from "./rendezvous.ts";

export interface CoreFleetOptions {
  /** Of this edge. Cores of other regions serve while none of its own does. */
  readonly region: string;
  /** Opens the connection to a core. */
  readonly open: (url: string) => {
    readonly client: CoreClient;
    /** Left out where the core cannot be asked what it holds. */
    readonly inspector?: CoreInspector;
    close(): void;
  };
  readonly hedge: {
    /** Of calls that may be asked of a second core when the first is slow; 0 hedges none. */
    readonly share: number;
    /** A second core is asked no sooner, in milliseconds. */
    readonly leastDelayMs: number;
  };
  readonly clock: Clock;
  readonly sharing: Sharing;
  readonly logger: Logger;
}

/** Of calls that may be made again at another core, beside a few per second. */
const RETRIES = { share: 0.2, leastPerS: 10 };
const LEAST_HEDGES_PER_S = 1;
const SECOND_TRY_MS = 50;
/** A second core is asked when the first takes so many times as long as usual. */
const HEDGE_FACTOR = 3;
/** A core whose best first frame takes so many times as long as the others' usual one is taken out. */
const OUTLIER = { factor: 3, leastMs: 80 };
/** Consistent hashing with bounded loads (Mirrokni et al., 2016): nobody has much more than his share. */
const LOAD = { factor: 1.5, leastCalls: 8 };

export interface CoreFleetStats {
  readonly nodes: readonly CoreNode[];
  readonly retries: number;
  readonly hedges: number;
}

/**
 * The cores as one: an avatar's calls go to the core that ranks first for it,
 * where its model is warm. A core that fails or falls behind is taken out, and
 * what it had goes on at the next one from the frame where it stopped: a frame
 * depends on nothing but the speech that its call carries.
 */
export class CoreFleet implements CoreClient {
  readonly #options: CoreFleetOptions;
  readonly #retryBudget: Budget;
  readonly #hedgeBudget: Budget;
  readonly #opened = new Map<string, { readonly node: CoreNode; readonly close: () => void }>();
  #retries = 0;
  #hedges = 0;

  constructor(cores: readonly CoreAddress[], options: CoreFleetOptions) {
    const { clock, hedge } = options;
    this.#options = options;
    this.#retryBudget = new Budget({ clock, ...RETRIES });
    const leastPerS = hedge.share > 0 ? LEAST_HEDGES_PER_S : 0;
    this.#hedgeBudget = new Budget({ clock, share: hedge.share, leastPerS });
    this.setCores(cores);
  }

  get stats(): CoreFleetStats {
    return { nodes: this.#nodes, retries: this.#retries, hedges: this.#hedges };
  }

  /** Those that stay keep their state; calls at those that go are ended and go on elsewhere. */
  setCores(cores: readonly CoreAddress[]): void {
    const wanted = new Map(cores.map((core) => [core.url, core]));
    for (const [url, { node, close }] of this.#opened) {
      if (wanted.has(url)) continue;
      this.#opened.delete(url);
      node.eject("it is not in the list any more", true);
      close();
    }
    for (const { url, region } of wanted.values()) {
      if (this.#opened.has(url)) continue;
      const { client, inspector = null, close } = this.#options.open(url);
      const { clock, sharing, logger } = this.#options;
      const isLast = () => !this.#nodes.some((other) => other.url !== url && other.isUp);
      const node = new CoreNode({
        ...{ url, region, client, inspector, isLast },
        ...{ clock, sharing, logger },
      });
      this.#opened.set(url, { node, close });
    }
  }

  async *inferSpeech(call: SpeechCall, options: CallOptions): AsyncGenerator<MouthRegion> {
    this.#retryBudget.earn();
    this.#hedgeBudget.earn();
    /** Cores that failed since the last frame. */
    const tried = new Set<CoreNode>();
    let done = 0;
    let isAgain = false;
    for (;;) {
      const rest = {
        ...call,
        firstFrame: call.firstFrame + done,
        backgroundIndices: call.backgroundIndices.slice(done),
      };
      let attempt: Attempt | null = null;
      try {
        attempt = await this.#begin(rest, options, tried);
        for (let step = await attempt.first; !step.done; step = await attempt.next()) {
          yield step.value;
          done++;
          tried.clear();
          isAgain = false;
        }
        return;
      } catch (error) {
        if (options.signal.aborted) throw error;
        if (attempt) this.#failed(attempt.node, error, tried);
        if (this.#isLate(options)) throw error;
        if (this.#mayRetry(error, call.avatarId, tried)) continue;
        // The last one, once more: a connection that it had closed says nothing about it.
        if (isAgain || !isUnreachable(error) || !this.#retryBudget.spend()) throw error;
        this.#retries++;
        isAgain = true;
        tried.clear();
        await this.#pause(SECOND_TRY_MS);
      } finally {
        attempt?.leave();
      }
    }
  }

  async loadModel(avatarId: string, options: CallOptions): Promise<number> {
    this.#retryBudget.earn();
    const tried = new Set<CoreNode>();
    for (;;) {
      const node = this.#pick(avatarId, tried);
      try {
        return await node.client.loadModel(avatarId, options);
      } catch (error) {
        if (options.signal.aborted) throw error;
        this.#failed(node, error, tried);
        if (this.#isLate(options) || !this.#mayRetry(error, avatarId, tried)) throw error;
      }
    }
  }

  /** Whether any core serves. @throws CoreCallError of the last one */
  async checkHealth(signal: AbortSignal): Promise<void> {
    try {
      await Promise.any(this.#nodes.map((node) => node.client.checkHealth(signal)));
    } catch (error) {
      const causes = error instanceof AggregateError ? error.errors : [error];
      throw causes.at(-1) ?? noCore();
    }
  }

  close(): void {
    for (const { close } of this.#opened.values()) close();
  }

  get #nodes(): CoreNode[] {
    return [...this.#opened.values()].map(({ node }) => node);
  }

  /** One call, or two when the first is slow; the one whose first frame comes first. */
  async #begin(call: SpeechCall, options: CallOptions, tried: Set<CoreNode>): Promise<Attempt> {
    const { clock } = this.#options;
    const first = new Attempt(this.#pick(call.avatarId, tried), call, options, clock);
    const delayMs = this.#hedgeDelayMs(first.node);
    const late = Promise.withResolvers<"late">();
    const cancel = clock.after(delayMs, () => late.resolve("late"));
    const outcome = await Promise.race([settled(first.first), late.promise]);
    cancel();
    // Another one would only load the model as well.
    if (!first.node.isWarmFor(call.avatarId)) return first;
    if (outcome !== "late") return first;
    const second = this.#hedge(first.node, call, options, tried);
    if (!second) return first;
    const winner = await firstToSucceed(first, second);
    const loser = winner === first ? second : first;
    // How long it took to fail says nothing about its frames.
    if (loser.failure !== null) this.#failed(loser.node, loser.failure, tried);
    else loser.lose();
    return winner;
  }

  #hedge(
    first: CoreNode,
    call: SpeechCall,
    options: CallOptions,
    tried: ReadonlySet<CoreNode>,
  ): Attempt | null {
    const others = new Set([...tried, first]);
    const node = this.#usable(call.avatarId).find((each) => !others.has(each));
    if (!node || options.signal.aborted || !this.#hedgeBudget.spend()) return null;
    this.#hedges++;
    return new Attempt(node, call, options, this.#options.clock);
  }

  #hedgeDelayMs(node: CoreNode): number {
    const { hedge } = this.#options;
    const usual = this.#usualFirstFrameMs(node) ?? node.firstFrameMs ?? 0;
    return Math.max(hedge.leastDelayMs, HEDGE_FACTOR * usual);
  }

  /** Of the other cores, the median of their medians. */
  #usualFirstFrameMs(but: CoreNode): number | null {
    const known = this.#nodes
      .filter((node) => node !== but && node.isUp)
      .map((node) => node.firstFrameMs)
      .filter((ms) => ms !== null)
      .sort((a, b) => a - b);
    return known[known.length >> 1] ?? null;
  }

  #pick(avatarId: string, tried: ReadonlySet<CoreNode>): CoreNode {
    for (const node of this.#nodes) {
      node.reviveLater();
      this.#ejectOutlier(node);
    }
    const usable = this.#usable(avatarId).filter((node) => !tried.has(node));
    const mean = usable.reduce((sum, { inFlight }) => sum + inFlight, 0) / (usable.length || 1);
    const most = Math.max(LOAD.leastCalls, LOAD.factor * (mean + 1));
    const chosen = usable.find(({ inFlight }) => inFlight < most) ?? usable[0];
    if (chosen) return chosen;
    // None is known to serve: better one that may than none.
    const any = this.#ranked(avatarId).find((node) => !tried.has(node));
    if (any) return any;
    throw noCore();
  }

  #usable(avatarId: string): CoreNode[] {
    const up = this.#ranked(avatarId).filter((node) => node.isUp);
    const near = up.filter(({ region }) => region === this.#options.region);
    return near.length > 0 ? near : up;
  }

  /** All cores, those of this region first, as they rank for the avatar. */
  #ranked(avatarId: string): CoreNode[] {
    const { region } = this.#options;
    const ranked = rankNodes(avatarId, this.#nodes, ({ url }) => url);
    return [
      ...ranked.filter((node) => node.region === region),
      ...ranked.filter((node) => node.region !== region),
    ];
  }

  #ejectOutlier(node: CoreNode): void {
    const best = node.isUp ? node.bestFirstFrameMs : null;
    const usual = best === null ? null : this.#usualFirstFrameMs(node);
    if (best === null || usual === null) return;
    if (best < OUTLIER.factor * usual || best < usual + OUTLIER.leastMs) return;
    // What is slow everywhere is no outlier: more than half stay.
    const up = this.#nodes.filter(({ isUp }) => isUp).length;
    if (2 * (up - 1) < this.#nodes.length) return;
    const why = `first frames take ${Math.round(best)} ms at best, ${Math.round(usual)} ms elsewhere`;
    node.ejectSlow(why);
  }

  #failed(node: CoreNode, error: unknown, tried: Set<CoreNode>): void {
    tried.add(node);
    if (!isElsewhereBetter(error)) return;
    node.stats.failures++;
    if (error.code === "unreachable") {
      node.suspect(error.message);
    } else if (error.code === "access") {
      if (node.isUp) node.eject(error.message, false);
    } else if (error.code !== "busy") {
      // It may be about the model alone, or about the core: a full queue is neither.
      node.check();
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(ms, resolve));
  }

  #isLate({ deadlineMs = Number.POSITIVE_INFINITY }: CallOptions): boolean {
    return deadlineMs <= this.#options.clock.now();
  }

  #mayRetry(error: unknown, avatarId: string, tried: ReadonlySet<CoreNode>): boolean {
    if (!isElsewhereBetter(error)) return false;
    const isLeft = this.#ranked(avatarId).some((node) => !tried.has(node));
    if (!isLeft || !this.#retryBudget.spend()) return false;
    this.#retries++;
    return true;
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof CoreCallError && error.code === "unreachable";
}

async function settled(promise: Promise<unknown>): Promise<"settled"> {
  await promise.catch(() => {});
  return "settled";
}

/** Of two calls the one whose first frame comes first; the first one when both fail. */
async function firstToSucceed(first: Attempt, second: Attempt): Promise<Attempt> {
  try {
    return await Promise.any([first, second].map((attempt) => attempt.first.then(() => attempt)));
  } catch {
    return first;
  }
}

function noCore(): CoreCallError {
  return new CoreCallError("unavailable", "there is no core: core.discover has found none yet");
}
