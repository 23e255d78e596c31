import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../avatar/clock.ts";
import { type Logger, silentLogger } from "../../avatar/logger.ts";
import { coreDiscoverySchema } from "../core/discovery-settings.ts";
import type { CoreAddress } from "../core/fleet/core-node.ts";
import { CoreFollower, type CoreResolver } from "./core-discovery.ts";

const NAME = "core.talk.svc.cluster.local";

/** What DNS says: addresses, or the code of a failure. */
interface Zone {
  four: readonly string[] | string;
  six: readonly string[] | string;
}

function follow(settings: object = {}, four: Zone["four"] = []) {
  const clock = new VirtualClock();
  const zone: Zone = { four, six: "ENODATA" };
  const asked: string[] = [];
  const answer = async (record: readonly string[] | string): Promise<string[]> => {
    if (typeof record !== "string") return [...record];
    throw Object.assign(new Error(`query ${record}`), { code: record });
  };
  let cancelled = 0;
  const resolver: CoreResolver = {
    resolve4(name) {
      asked.push(name);
      return answer(zone.four);
    },
    resolve6: () => answer(zone.six),
    cancel: () => cancelled++,
  };
  const lists: string[][] = [];
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (message) => lines.push(message),
    warn: (message) => lines.push(message),
  };
  const follower = new CoreFollower({
    discover: coreDiscoverySchema.parse({ dns: NAME, ...settings }),
    region: "fra",
    clock,
    logger,
    resolver,
    setCores: (cores: readonly CoreAddress[]) => lists.push(cores.map(({ url }) => url)),
  });
  return { clock, zone, asked, lists, lines, follower, cancelled: () => cancelled };
}

test("what is found at the start is told, and then only what changes", async () => {
  const { clock, zone, asked, lists } = follow({}, ["10.0.0.2", "10.0.0.1"]);
  await clock.advanceBy(60_000);
  assert.deepEqual(lists, [["http://10.0.0.1:50051", "http://10.0.0.2:50051"]]);
  assert.deepEqual([...new Set(asked)], [NAME]);
  assert.equal(asked.length, 13);

  zone.four = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
  await clock.advanceBy(5000);
  assert.deepEqual(lists.slice(1), [
    ["http://10.0.0.1:50051", "http://10.0.0.2:50051", "http://10.0.0.3:50051"],
  ]);
});

test("a core that leaves goes when it has had time to finish, and stays if it comes back", async () => {
  const { clock, zone, lists } = follow({ leave_s: 20 }, ["10.0.0.1", "10.0.0.2"]);
  await clock.advanceBy(0);
  zone.four = ["10.0.0.1"];
  await clock.advanceBy(15_000);
  zone.four = ["10.0.0.1", "10.0.0.2"];
  await clock.advanceBy(10_000);
  zone.four = ["10.0.0.1"];
  await clock.advanceBy(24_000);
  assert.equal(lists.length, 1);
  await clock.advanceBy(5000);
  assert.deepEqual(lists.slice(1), [["http://10.0.0.1:50051"]]);
});

test("no addresses at the start are no cores; later ones leave like any", async () => {
  const { clock, zone, lists } = follow({ leave_s: 10 }, "ENOTFOUND");
  await clock.advanceBy(20_000);
  assert.deepEqual(lists, [[]]);
  zone.four = ["10.0.0.1"];
  await clock.advanceBy(5000);
  zone.four = "ENODATA";
  await clock.advanceBy(5000);
  assert.deepEqual(lists.slice(1), [["http://10.0.0.1:50051"]]);
  await clock.advanceBy(10_000);
  assert.deepEqual(lists.slice(2), [[]]);
});

test("a question that fails keeps the list, however long, and is told once each time", async () => {
  const { clock, zone, lists, lines } = follow({ leave_s: 0 }, ["10.0.0.1"]);
  await clock.advanceBy(0);
  for (const failure of ["ESERVFAIL", "ETIMEOUT", "ECONNREFUSED"]) {
    zone.four = failure;
    await clock.advanceBy(600_000);
  }
  assert.deepEqual(lists, [["http://10.0.0.1:50051"]]);
  zone.four = ["10.0.0.1"];
  await clock.advanceBy(5000);
  zone.four = "ESERVFAIL";
  await clock.advanceBy(60_000);
  const failed = "cores cannot be looked up, those that are known stay";
  assert.deepEqual(lines, ["cores", failed, "cores are found again", failed]);
});

test("IPv6 where there is no IPv4, with its brackets; one core with both is one", async () => {
  const { clock, zone, lists } = follow({ port: 7000, scheme: "https", leave_s: 0 }, "ENODATA");
  zone.six = ["fd00::2", "fd00::1"];
  await clock.advanceBy(5000);
  zone.four = ["10.0.0.1"];
  await clock.advanceBy(5000);
  assert.deepEqual(lists.at(-2), ["https://[fd00::1]:7000", "https://[fd00::2]:7000"]);
  assert.deepEqual(lists.at(-1), ["https://10.0.0.1:7000"]);
});

test("no more than 256, those that are there before those that leave", async () => {
  const many = (from: number, count: number) =>
    Array.from({ length: count }, (_, n) => `10.0.${(from + n) >> 8}.${(from + n) & 255}`);
  const { clock, zone, lists, lines } = follow({}, many(0, 200));
  await clock.advanceBy(0);
  zone.four = many(200, 200);
  await clock.advanceBy(5000);
  const now = lists.at(-1) ?? [];
  assert.equal(now.length, 256);
  for (const address of zone.four) assert.ok(now.includes(`http://${address}:50051`), address);
  zone.four = many(0, 300);
  await clock.advanceBy(20_000);
  assert.equal(lists.at(-1)?.length, 256);
  assert.equal(lines.filter((line) => line === "more cores than an edge talks to").length, 1);
});

test("stopped, it asks no more, and an answer that comes then changes nothing", async () => {
  const { clock, asked, lists, follower, cancelled } = follow({}, ["10.0.0.1"]);
  follower.stop();
  await clock.advanceBy(60_000);
  assert.deepEqual([asked.length, lists.length, cancelled()], [1, 0, 1]);
});
