import { Resolver } from "node:dns/promises";
import { isIPv6 } from "node:net";
import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import { type CoreDiscovery, MAX_CORES } from "../core/discovery-settings.ts";
import type { CoreAddress } from "../core/fleet/core-node.ts";

/** What is asked: `Resolver` of node:dns, or a test's. */
export interface CoreResolver {
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
  /** Ends a question that waits. */
  cancel(): void;
}

export interface CoreFollowerOptions {
  readonly discover: CoreDiscovery;
  /** Of the cores that are found: this edge's own. */
  readonly region: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: the system's name servers. */
  readonly resolver?: CoreResolver;
  /** Called with the first answer, and when another one differs. */
  readonly setCores: (cores: readonly CoreAddress[]) => void;
}

/** A name server that does not answer is asked once more, and then the next one is. */
const QUESTION = { timeout: 2000, tries: 2 };
/** The server knows the name, or knows that there is none, and it has no addresses: nobody runs. */
const NO_ADDRESSES: ReadonlySet<unknown> = new Set(["ENODATA", "ENOTFOUND"]);

/**
 * Follows the addresses of a DNS name: a core for each. A question that fails
 * changes nothing: cores that are gone show by their calls. An address that has
 * left goes later, for what stops finishes what it has.
 */
export class CoreFollower {
  readonly #options: CoreFollowerOptions;
  readonly #resolver: CoreResolver;
  /** Addresses, and since when answers have lacked them; null for those of the last answer. */
  readonly #known = new Map<string, number | null>();
  /** As they were last handed on; null before the first answer. */
  #told: readonly string[] | null = null;
  #isFailing = false;
  #isTooMany = false;
  #isStopped = false;
  #cancelNext = (): void => {};

  constructor(options: CoreFollowerOptions) {
    this.#options = options;
    this.#resolver = options.resolver ?? new Resolver(QUESTION);
    void this.#follow();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelNext();
    this.#resolver.cancel();
  }

  async #follow(): Promise<void> {
    const { discover, clock, logger } = this.#options;
    try {
      const addresses = await this.#ask(discover.dns);
      if (this.#isStopped) return;
      if (this.#isFailing) logger.info("cores are found again", { dns: discover.dns });
      this.#isFailing = false;
      this.#learn(addresses);
    } catch (error) {
      if (this.#isStopped) return;
      // Once: it is asked again every few seconds.
      if (!this.#isFailing) {
        const fields = { dns: discover.dns, error: String(error), cores: this.#known.size };
        logger.warn("cores cannot be looked up, those that are known stay", fields);
      }
      this.#isFailing = true;
    }
    this.#cancelNext = clock.after(1000 * discover.interval_s, () => void this.#follow());
  }

  /** IPv6 where there is no IPv4: a core that has both is one core. */
  async #ask(name: string): Promise<string[]> {
    const four = await this.#resolver.resolve4(name).catch(noneOrThrow);
    return four.length > 0 ? four : this.#resolver.resolve6(name).catch(noneOrThrow);
  }

  #learn(addresses: readonly string[]): void {
    const { discover, region, clock, logger, setCores } = this.#options;
    const now = clock.now();
    const answer = new Set(addresses);
    for (const [address, since] of this.#known) {
      const missingSince = since ?? now;
      if (answer.has(address)) continue;
      if (now - missingSince >= 1000 * discover.leave_s) this.#known.delete(address);
      else this.#known.set(address, missingSince);
    }
    for (const address of answer) this.#known.set(address, null);
    const here = [...this.#known.keys()].filter((address) => answer.has(address)).sort();
    const leaving = [...this.#known.keys()].filter((address) => !answer.has(address)).sort();
    const cores = [...here, ...leaving].slice(0, MAX_CORES).sort();
    this.#warnOfTooMany(here.length);
    if (this.#told && String(this.#told) === String(cores)) return;
    this.#told = cores;
    logger.info("cores", { dns: discover.dns, addresses: cores });
    setCores(cores.map((address) => ({ url: this.#urlOf(address), region })));
  }

  #urlOf(address: string): string {
    const { scheme, port } = this.#options.discover;
    return `${scheme}://${isIPv6(address) ? `[${address}]` : address}:${port}`;
  }

  #warnOfTooMany(count: number): void {
    const isTooMany = count > MAX_CORES;
    if (isTooMany && !this.#isTooMany) {
      this.#options.logger.warn("more cores than an edge talks to", { count, most: MAX_CORES });
    }
    this.#isTooMany = isTooMany;
  }
}

function noneOrThrow(error: unknown): string[] {
  if (error instanceof Error && "code" in error && NO_ADDRESSES.has(error.code)) return [];
  throw error;
}
