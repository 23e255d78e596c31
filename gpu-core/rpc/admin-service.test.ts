import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { createJsonLogger, type LevelControl, silentLogger } from "../../avatar/logger.ts";
import { SettingsError } from "../../avatar/settings.ts";
import { AdminService, LogLevel } from "../../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import { type AdminOptions, createAdminService } from "./admin-service.ts";

const clientOf = (options: AdminOptions, logger = silentLogger) =>
  createClient(
    AdminService,
    createRouterTransport(({ service }) => {
      service(AdminService, createAdminService(options, logger));
    }),
  );

const hasCode = (code: Code, message: RegExp) => (cause: unknown) => {
  const error = ConnectError.from(cause);
  assert.equal(error.code, code, error.message);
  assert.match(error.rawMessage, message);
  return true;
};

test("the level changes for everybody, and both changes are in the log", async () => {
  const logLevel: LevelControl = { level: "warn" };
  const lines: string[] = [];
  const logger = createJsonLogger(logLevel, (line) => lines.push(JSON.parse(line).to));
  const client = clientOf({ logLevel }, logger);
  assert.equal((await client.getLogLevel({})).level, LogLevel.WARN);
  const louder = await client.setLogLevel({ level: LogLevel.DEBUG });
  assert.deepEqual([louder.level, louder.previousLevel], [LogLevel.DEBUG, LogLevel.WARN]);
  assert.equal(logLevel.level, "debug");
  await client.setLogLevel({ level: LogLevel.ERROR });
  assert.equal((await client.getLogLevel({})).level, LogLevel.ERROR);
  assert.deepEqual(lines, ["debug", "error"]);
});

test("a level that is none is refused, and nothing changes", async () => {
  const logLevel: LevelControl = { level: "info" };
  for (const level of [LogLevel.UNSPECIFIED, 77 as LogLevel]) {
    await assert.rejects(
      clientOf({ logLevel }).setLogLevel({ level }),
      hasCode(Code.InvalidArgument, /set one of debug, info, warn, error/),
    );
  }
  assert.equal(logLevel.level, "info");
});

test("what a core cannot change it says", async () => {
  const client = clientOf({});
  const refused = hasCode(Code.FailedPrecondition, /this core/);
  await assert.rejects(client.getLogLevel({}), refused);
  await assert.rejects(client.setLogLevel({ level: LogLevel.INFO }), refused);
  const noFile = hasCode(Code.FailedPrecondition, /without a configuration file/);
  await assert.rejects(client.reloadConfiguration({}), noFile);
});

test("reloading tells what holds now and what later; a wrong file is told with its line", async () => {
  const result = { applied: ["log_level"], pending: ["server.port"] };
  const { appliedKeys, pendingKeys } = await clientOf({
    reload: async () => result,
  }).reloadConfiguration({});
  assert.deepEqual({ applied: appliedKeys, pending: pendingKeys }, result);
  const wrong = clientOf({ reload: () => Promise.reject(new SettingsError("f.yaml: a.b: no")) });
  await assert.rejects(
    wrong.reloadConfiguration({}),
    hasCode(Code.InvalidArgument, /^f\.yaml: a\.b: no$/),
  );
  const broken = clientOf({ reload: () => Promise.reject(new Error("inside")) });
  await assert.rejects(broken.reloadConfiguration({}), hasCode(Code.Internal, /core's log/));
});
