import assert from "node:assert/strict";
import { test } from "node:test";
import { createJsonLogger } from "../../avatar/logger.ts";
import { createApiKey } from "../access/api-key.ts";
import { RecentLog } from "./recent-log.ts";

function opened() {
  const lines: string[] = [];
  let nowMs = 0;
  const log = new RecentLog(() => nowMs++);
  const logger = log.around(createJsonLogger("error", (line) => lines.push(line)));
  return { log, logger, lines };
}

test("warnings and errors are kept, the newest first, whatever the level is", () => {
  const { log, logger, lines } = opened();
  logger.info("nothing to see");
  logger.warn("slow", { ms: 7 });
  logger.with({ session: "s1" }).error("broken", { error: "no" });
  assert.deepEqual(
    log.entries.map(({ level, message, fields }) => ({ level, message, fields })),
    [
      { level: "error", message: "broken", fields: { session: "s1", error: "no" } },
      { level: "warn", message: "slow", fields: { ms: "7" } },
    ],
  );
  assert.deepEqual(log.counts, { warn: 1, error: 1 });
  // The logger behind it writes what its own level says.
  assert.equal(lines.length, 1);
  assert.equal(JSON.parse(lines[0] ?? "").session, "s1");
});

test("refusals push no error out", () => {
  const { log, logger } = opened();
  logger.error("the one that counts");
  for (let n = 0; n < 500; n++) logger.warn("access refused", { n });
  assert.equal(log.entries.length, 101);
  assert.ok(log.entries.some(({ message }) => message === "the one that counts"));
  assert.equal(log.entries[0]?.fields.n, "499");
  assert.equal(log.counts.warn, 500);
});

test("secrets are not kept", () => {
  const { log, logger } = opened();
  const key = createApiKey();
  const jwt = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.${"x".repeat(43)}`;
  logger.error(`refused ${key}`, {
    token: "abc",
    apiKey: "def",
    url: "https://user:word@core.example/path",
    error: `Authorization: Bearer hidden-one ${jwt}`,
    deep: { list: [key, jwt] },
    long: "y".repeat(380) + key,
  });
  const text = JSON.stringify(log.entries);
  for (const secret of ["abc", "def", "word", "hidden-one", key.slice(4, 12), "eyJ"]) {
    assert.ok(!text.includes(secret), `${secret} is in ${text}`);
  }
  assert.ok(text.includes("core.example/path"));
  assert.ok(log.entries[0]!.fields.long!.length <= 400);
});
