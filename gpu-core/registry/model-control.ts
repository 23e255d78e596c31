import type { CoreConfig, ModelConfig } from "../config.ts";
import { CoreError } from "../core-error.ts";
import type { ModelSource } from "../sources/model-source.ts";

/**
 * Which models requests may bring into memory. With `model_control: explicit`
 * those that are preloaded or that somebody has loaded, until he unloads them:
 * what an eviction or a lost device took is loaded again.
 */
export class ModelControl {
  readonly #mode: CoreConfig["model_control"];
  readonly #settingsOf: (id: string) => ModelConfig | undefined;
  readonly #source: Pick<ModelSource, "check">;
  /** Models that were loaded (true) or unloaded by name. */
  readonly #decided = new Map<string, boolean>();

  constructor(
    mode: CoreConfig["model_control"],
    settingsOf: (id: string) => ModelConfig | undefined,
    source: Pick<ModelSource, "check">,
  ) {
    this.#source = source;
    this.#mode = mode;
    this.#settingsOf = settingsOf;
  }

  /** Somebody has loaded or unloaded it by name. @param id of a model that exists */
  decide(id: string, isWanted: boolean): void {
    if (this.#mode === "explicit") this.#decided.set(id, isWanted);
  }

  /** Its settings are others: that it was unloaded before says nothing of them. */
  forgetUnload(id: string): void {
    if (this.#decided.get(id) === false) this.#decided.delete(id);
  }

  permits(id: string): boolean {
    if (this.#mode === "on-demand") return true;
    return this.#decided.get(id) ?? this.#settingsOf(id)?.preload === true;
  }

  /** Whether it stays in memory however long nobody uses it. */
  pins(id: string): boolean {
    if (this.#mode === "explicit") return this.permits(id);
    return this.#settingsOf(id)?.preload === true;
  }

  /**
   * Tells who asks for a model that is not permitted.
   * @throws CoreError `failed_precondition`, `not_found` when there is no such model
   */
  async refuse(id: string): Promise<never> {
    await this.#source.check(id);
    throw new CoreError(
      "failed_precondition",
      `${id} is not loaded, and model_control is explicit: load it with "mouthpiece models load ${id}", or set models.${id}.preload`,
    );
  }
}
