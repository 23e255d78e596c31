import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingsError } from "../settings.ts";
import { withTracingEnvironment } from "./tracing-environment.ts";

test("the file goes before the variables, and the closer variable before the wider", () => {
  const wide = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/" };
  const both = { ...wide, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://traces:4318/t" };
  const endpoint = (section: unknown, environment: Record<string, string>) =>
    withTracingEnvironment(section, environment);
  assert.deepEqual(endpoint(undefined, {}), {});
  assert.deepEqual(endpoint({}, wide), { otlp_endpoint: "http://collector:4318/v1/traces" });
  assert.deepEqual(endpoint({}, both), { otlp_endpoint: "http://traces:4318/t" });
  const file = { otlp_endpoint: "http://file:4318", sample_ratio: 0.5 };
  assert.deepEqual(endpoint(file, both), file);
  assert.deepEqual(endpoint({}, { OTEL_SERVICE_NAME: "core-eu" }), { service_name: "core-eu" });
  assert.equal(endpoint("wrong", both), "wrong");
  assert.throws(() => endpoint({}, { OTEL_EXPORTER_OTLP_ENDPOINT: "collector" }), SettingsError);
});
