import { SettingsError } from "../settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A `tracing` section of a configuration as read, with what OpenTelemetry's
 * own variables say where it says nothing: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
 * or `OTEL_EXPORTER_OTLP_ENDPOINT` with `v1/traces` below it, and
 * `OTEL_SERVICE_NAME`. Check it afterwards, like any section.
 * @throws SettingsError when a variable is no URL
 */
export function withTracingEnvironment(section: unknown, environment: Environment): unknown {
  // What is no section is refused by whoever checks it.
  if (section !== undefined && (typeof section !== "object" || section === null)) return section;
  const endpoint = endpointOf(environment);
  const name = environment.OTEL_SERVICE_NAME;
  return {
    ...(endpoint && { otlp_endpoint: endpoint }),
    ...(name && { service_name: name }),
    ...section,
  };
}

function endpointOf(environment: Environment): string | undefined {
  const traces = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  if (traces) return checkUrl("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces);
  const all = environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!all) return undefined;
  return `${checkUrl("OTEL_EXPORTER_OTLP_ENDPOINT", all).replace(/\/$/, "")}/v1/traces`;
}

function checkUrl(name: string, value: string): string {
  const protocol = URL.canParse(value) ? new URL(value).protocol : "";
  if (protocol === "http:" || protocol === "https:") return value;
  throw new SettingsError(`${name}=${value}: use a URL like http://127.0.0.1:4318`);
}
