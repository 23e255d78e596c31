import type { CoreConfig } from "./config.ts";
import type { ReloadResult } from "./rpc/admin-service.ts";

/** What a running core takes over from a configuration that has changed. */
const LIVE_KEYS: readonly (keyof CoreConfig)[] = ["models", "log_level"];

/** What holds after a reload: what was taken over from `next`; of the rest, what it started with. */
export function takeOver(current: CoreConfig, next: CoreConfig): CoreConfig {
  return { ...current, ...Object.fromEntries(LIVE_KEYS.map((key) => [key, next[key]])) };
}

/** Keys of the first and second level that differ, told apart by whether they hold at once. */
export function compareConfigs(before: CoreConfig, after: CoreConfig): ReloadResult {
  const changed = (Object.keys(after) as (keyof CoreConfig)[]).filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  return {
    applied: changed.filter((key) => LIVE_KEYS.includes(key)),
    pending: changed
      .filter((key) => !LIVE_KEYS.includes(key))
      .flatMap((key) => changedBelow(key, before[key], after[key])),
  };
}

function changedBelow(key: string, before: unknown, after: unknown): string[] {
  if (!isRecord(before) || !isRecord(after)) return [key];
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name) => `${key}.${name}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
