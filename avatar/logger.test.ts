import assert from "node:assert/strict";
import { test } from "node:test";
import { createJsonLogger, type LevelControl } from "./logger.ts";

test("a level that changes holds for every logger that shares it", () => {
  const lines: string[] = [];
  const control: LevelControl = { level: "warn" };
  const logger = createJsonLogger(
    control,
    (line) => lines.push(line),
    () => 0,
  );
  const child = logger.with({ part: "core" }).with({ device: 1 });
  child.info("unheard");
  control.level = "debug";
  child.debug("heard", { n: 1 });
  control.level = "error";
  logger.warn("unheard");
  child.error("heard");
  assert.deepEqual(lines, [
    '{"time":"1970-01-01T00:00:00.000Z","level":"debug","message":"heard","part":"core","device":1,"n":1}',
    '{"time":"1970-01-01T00:00:00.000Z","level":"error","message":"heard","part":"core","device":1}',
  ]);
});

test("a fixed level stays", () => {
  const lines: string[] = [];
  const logger = createJsonLogger("info", (line) => lines.push(line));
  logger.debug("unheard");
  logger.info("heard");
  assert.equal(lines.length, 1);
});
