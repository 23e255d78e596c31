import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { parseSettings, SettingsError } from "./settings.ts";

const schema = z.strictObject({
  server: z.strictObject({ port: z.int().max(65_535).default(80) }).prefault({}),
  models: z.record(z.string(), z.strictObject({ preload: z.boolean().default(false) })).default({}),
});

test("defaults are filled in", () => {
  assert.deepEqual(parseSettings(schema, undefined, "x"), { server: { port: 80 }, models: {} });
});

test("a misspelt key is told with file, key and what is allowed", () => {
  const cases: [unknown, string][] = [
    [{ severs: {} }, "c.yaml: unknown key severs: allowed here are server, models"],
    [{ server: { prot: 1 } }, "c.yaml: unknown key server.prot: allowed here are port"],
    [
      { models: { ada: { pre: 1 } } },
      "c.yaml: unknown key models.ada.pre: allowed here are preload",
    ],
  ];
  for (const [value, message] of cases) {
    assert.throws(() => parseSettings(schema, value, "c.yaml"), { name: "SettingsError", message });
  }
});

test("an impossible value is told with its key", () => {
  const parse = () => parseSettings(schema, { server: { port: 70_000 } }, "c.yaml");
  assert.throws(parse, (error) => {
    assert.ok(error instanceof SettingsError);
    assert.match(error.message, /^c\.yaml: server\.port: .*65535/);
    return true;
  });
});
