import * as z from "zod";

/** Settings that cannot be used; the message names file, key and what is allowed. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/**
 * Checks settings and fills in defaults.
 * @param source Named in errors, e.g. the file.
 * @throws SettingsError with a line per problem
 */
export function parseSettings<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw new SettingsError(
    result.error.issues.map((issue) => explain(schema, issue, source)).join("\n"),
  );
}

function explain(schema: z.ZodType, issue: z.core.$ZodIssue, source: string): string {
  const path = issue.path.map(String);
  if (issue.code !== "unrecognized_keys") {
    return `${source}: ${path.join(".") || "the top level"}: ${issue.message}`;
  }
  const unknown = issue.keys.map((key) => [...path, key].join(".")).join(", ");
  return `${source}: unknown key ${unknown}: allowed here are ${keysAt(schema, path).join(", ")}`;
}

/** The keys that the schema knows at a path. */
function keysAt(schema: unknown, path: readonly string[]): string[] {
  let inner = schema;
  while (
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodOptional
  ) {
    inner = inner.unwrap();
  }
  const [key, ...rest] = path;
  if (inner instanceof z.ZodRecord && key !== undefined) return keysAt(inner.valueType, rest);
  if (!(inner instanceof z.ZodObject)) return [];
  return key === undefined ? Object.keys(inner.shape) : keysAt(inner.shape[key], rest);
}
