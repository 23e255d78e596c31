import type { FaultPoint, FaultSpec } from "./config.ts";

/**
 * Failures on purpose, switched on by `faults:` in the configuration. Counts
 * passes, so the same traffic fails in the same places.
 */
export class FaultInjector {
  readonly #faults: { readonly spec: FaultSpec; passes: number }[];

  /** @param where what the process is: faults for others are left out */
  constructor(specs: readonly FaultSpec[], where: { device?: number; process?: number } = {}) {
    this.#faults = specs
      .filter(
        ({ device, process }) =>
          (device === undefined || device === where.device) &&
          (process === undefined || process === where.process),
      )
      .map((spec) => ({ spec, passes: 0 }));
  }

  /** Counts a pass. @returns what is to happen here, or null */
  hit(point: FaultPoint, model?: string): FaultSpec | null {
    for (const fault of this.#faults) {
      const { spec } = fault;
      if (spec.point !== point || (spec.model !== undefined && spec.model !== model)) continue;
      const pass = fault.passes++;
      if (pass >= spec.skip && (spec.count === 0 || pass < spec.skip + spec.count)) return spec;
    }
    return null;
  }
}
