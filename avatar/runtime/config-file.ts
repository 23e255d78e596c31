import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import { SettingsError } from "../settings.ts";
import { withTracingEnvironment } from "../tracing/tracing-environment.ts";

/** A YAML file as read, and the folder that its relative paths start from. */
export interface ConfigFile {
  readonly value: unknown;
  /** Named in errors. */
  readonly source: string;
  readonly folder: string;
}

/** Reads a configuration file; without one everything has its default. @throws SettingsError */
export async function readConfigFile(path: string | undefined): Promise<ConfigFile> {
  if (path === undefined) return { value: {}, source: "defaults", folder: process.cwd() };
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SettingsError(`${path}: cannot be read: ${why}`, { cause });
  }
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem) throw new SettingsError(`${path}: ${problem.message}`);
  return { value: document.toJS() ?? {}, source: path, folder: resolve(dirname(path)) };
}

/** A configuration as read, with what the environment says of traces. @throws SettingsError */
export function withTracing(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const section = "tracing" in value ? value.tracing : undefined;
  return { ...value, tracing: withTracingEnvironment(section, process.env) };
}
