import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readAvatar } from "../avatar/catalogue.ts";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { findTrack, mouthRegion } from "../avatar/manifest.ts";
import type { ObjectStore, WritableStore } from "../avatar/object-store.ts";
import { PackReader } from "../avatar/pack-reader.ts";
import { contentOf } from "../avatar/publish/content.ts";
import { createFolderStore } from "../avatar/runtime/folder-store.ts";
import { createS3Store } from "../avatar/s3/s3-store.ts";
import { prepareFrame } from "../edge/compositor/delivery.ts";
import { type CommandRun, MOUTHPIECE, runNode } from "./support/run-command.ts";
import { type S3Endpoint, startS3Endpoint } from "./support/s3-endpoint.ts";
import {
  buildTinyUnet,
  temporaryFolder,
  tinyFrame,
  writeTinyAvatar,
} from "./support/tiny-avatar.ts";

const killer = new URL("./support/kill-at.ts", import.meta.url).href;
/** So many points of a publish are tried, spread over all of it. */
const KILLS = { s3: 6, folder: 3 };
const SEED = 20261125;

interface Run extends CommandRun {
  /** Empty unless it ended by itself. */
  readonly steps: readonly string[];
}

describe("publish", { timeout: 110_000 }, () => {
  let s3: S3Endpoint;
  let root: string;
  /** Holds an `ada` whose model is large enough to go up in parts. */
  let largeRoot: string;
  /** What an uninterrupted publish makes, in a folder. */
  let expected: string;
  /** The same of another version: what was served before. */
  let old: string;
  const ends: (() => Promise<void>)[] = [];
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });

  before(async () => {
    s3 = await startS3Endpoint();
    [root, largeRoot] = [await folder(), await folder()];
    await writeTinyAvatar(root, "ada");
    await writeTinyAvatar(largeRoot, "ada", { unet: largeModel() });
    [expected, old] = [await folder(), await folder()];
    assert.equal((await publish(["--to", expected])).status, 0);
    assert.equal((await publish(["--to", old, "--quality", "30"])).status, 0);
  });
  after(async () => {
    await s3.stop();
    for (const end of ends) await end();
  });

  /** Runs `mouthpiece publish ada` with one request at a time, so that its steps have an order. */
  async function publish(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Run> {
    const stepsFile = join(await folder(), "steps");
    const line = ["--import", killer, MOUTHPIECE, "publish", "ada", "--json", "--concurrency", "1"];
    const run = await runNode([...line, "--root", root, ...args], {
      environment: { ...s3.environment, STEPS_FILE: stepsFile, ...environment },
    });
    const steps = existsSync(stepsFile) ? (await readFile(stepsFile, "utf8")).split("\n") : [];
    return { ...run, steps };
  }

  const s3Store = (prefix: string): WritableStore =>
    createS3Store({ ...s3.options, prefix: `${prefix}/` });

  /** Reads every entry of every track, as edges do. @returns the version */
  async function readAll(store: ObjectStore): Promise<string> {
    const { manifest, prefix, summary } = await readAvatar(store, "ada");
    for (const kind of ["png", "jpeg", "mouth", "h264"] as const) {
      const track = findTrack(manifest, kind);
      assert.ok(track);
      // The loop of four frames is one group, in three renditions.
      const entries = kind === "h264" ? 3 : manifest.frameCount;
      const pack = await PackReader.open(store, `${prefix}${track.file}`, track, { entries });
      assert.equal((await pack.readSpan(0, entries - 1)).length, entries);
    }
    return summary.version;
  }

  async function filesBelow(base: string): Promise<string[]> {
    const entries = await readdir(base, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(base.length + 1))
      .sort();
  }

  /** Whether the store holds exactly what is in the folder, of that version. */
  async function assertHolds(store: ObjectStore, base: string): Promise<void> {
    for (const key of await filesBelow(base)) {
      const file = new Uint8Array(await readFile(join(base, key)));
      const object = await store.read(key);
      assert.ok(object && Buffer.compare(object, file) === 0, key);
    }
  }

  async function assertSame(a: ObjectStore, b: ObjectStore): Promise<void> {
    const [{ prefix }, other] = [await readAvatar(a, "ada"), await readAvatar(b, "ada")];
    assert.equal(prefix, other.prefix);
    const names = await a.list(prefix);
    assert.deepEqual(names, await b.list(prefix));
    for (const name of names) {
      const [one, two] = [await a.read(`${prefix}${name}`), await b.read(`${prefix}${name}`)];
      assert.ok(one && two && Buffer.compare(one, two) === 0, name);
    }
  }

  /** Puts a published folder into a store without the command. */
  async function copyInto(store: WritableStore, base: string): Promise<void> {
    for (const key of await filesBelow(base)) {
      const content = contentOf(await readFile(join(base, key)));
      await store.write(key, content, { journal: null, onBytes() {} });
    }
  }

  const versionIn = async (base: string) =>
    (await readAvatar(createFolderStore(base), "ada")).summary.version;

  test("to a folder and to S3, twice: one version, and the second time nothing is written", async () => {
    const toFolder = await folder();
    for (const [target, store] of [
      [toFolder, createFolderStore(toFolder)],
      ["s3://avatars/twice", s3Store("twice")],
    ] as const) {
      const [first, second] = [await publish(["--to", target]), await publish(["--to", target])];
      assert.equal(first.status, 0, first.err);
      assert.equal(second.status, 0, second.err);
      const [one, two] = [JSON.parse(first.out), JSON.parse(second.out)];
      assert.equal(one.version, await versionIn(expected));
      assert.equal(one.previousVersion, null);
      assert.equal(two.version, one.version);
      assert.equal(two.previousVersion, one.version);
      assert.deepEqual(two.objects, { written: 0, found: one.objects.written });
      assert.equal(two.bytes.written, 0);
      assert.ok(!second.steps.some((step) => /before (PUT|POST|rename avatar)/.test(step)));
      assert.equal(await readAll(store), one.version);
      await assertHolds(store, expected);
    }
    assert.deepEqual(await s3Store("twice").list("avatars/"), ["ada"]);
    assert.ok(!existsSync(join(root, ".publish")), "the work is left behind");
  });

  test("entries are what is prepared on the fly; the mouth track is the frame's own", async () => {
    const store = createFolderStore(expected);
    const { manifest, prefix } = await readAvatar(store, "ada");
    assert.equal(manifest.frames, undefined);
    const open = async (kind: "png" | "jpeg" | "mouth") => {
      const track = findTrack(manifest, kind)!;
      return PackReader.open(store, `${prefix}${track.file}`, track);
    };
    const [png, jpeg, mouth] = [await open("png"), await open("jpeg"), await open("mouth")];
    for (let n = 0; n < manifest.frameCount; n++) {
      const image = tinyFrame(n);
      const region = mouthRegion(manifest, n);
      const softEdge = 0;
      assert.deepEqual(
        await png.read(n),
        prepareFrame(image, region, { format: "png", softEdge, effort: "full" }),
      );
      const jpegOptions = { quality: 85, subsampling: "4:2:0" } as const;
      assert.deepEqual(
        await jpeg.read(n),
        prepareFrame(image, region, { format: "jpeg", softEdge, ...jpegOptions }),
      );
      const small = await createImageCodecs().decode(await mouth.read(n));
      assert.deepEqual([small.width, small.height], [region.width, region.height]);
      for (let y = 0; y < region.height; y++) {
        const at = 4 * ((region.y + y) * image.width + region.x);
        const row = image.data.subarray(at, at + 4 * region.width);
        assert.deepEqual(
          small.data.subarray(4 * y * region.width, 4 * (y + 1) * region.width),
          row,
        );
      }
    }
  });

  test("into the folder it is imported into: the frames stay, and again gives the same version", async () => {
    const copy = await folder();
    await cp(join(root, "avatars"), join(copy, "avatars"), { recursive: true });
    const args = ["--to", copy, "--root", copy, "--formats", "png", "--soft-edge", "3"];
    const first = await publish(args);
    assert.equal(first.status, 0, first.err);
    const again = await publish(args.slice(0, -2));
    assert.equal(JSON.parse(again.out).version, JSON.parse(first.out).version);
    const { manifest } = await readAvatar(createFolderStore(copy), "ada");
    assert.equal(manifest.softEdge, 3);
    assert.ok(manifest.frames);
    assert.deepEqual(
      manifest.tracks.map(({ kind }) => kind),
      ["png", "mouth"],
    );
  });

  test("a frame that has changed since it was imported is refused", async () => {
    const copy = await folder();
    await cp(join(root, "avatars"), join(copy, "avatars"), { recursive: true });
    const { prefix } = await readAvatar(createFolderStore(copy), "ada");
    const other = await createImageCodecs().encodePng(tinyFrame(7));
    await writeFile(join(copy, prefix, "frames/000002.png"), other);
    const { status, err } = await publish(["--to", await folder(), "--root", copy]);
    assert.equal(status, 1);
    assert.match(err, /not those that were imported: import it again/);
    const without = await publish(["--to", await folder(), "--root", expected]);
    assert.match(without.err, /no plain frames here: publish it from the folder/);
  });

  test("what is wrong with the store is said, and with which variable", async () => {
    const cases: [RegExp, number, string[], Record<string, string>][] = [
      [/403.*check AWS_SECRET_ACCESS_KEY/s, 1, [], { AWS_SECRET_ACCESS_KEY: "wrong" }],
      [/401.*check AWS_ACCESS_KEY_ID/s, 1, [], { AWS_ACCESS_KEY_ID: "wrong" }],
      [/AWS_ACCESS_KEY_ID is not set/, 2, [], { AWS_ACCESS_KEY_ID: "" }],
      [/no bucket nowhere .*check its name/, 1, ["--to", "s3://nowhere"], {}],
      [/use s3:\/\/bucket/, 2, ["--to", "https://x/y"], {}],
      [/--quality 101: use a whole number from 1 to 100/, 2, ["--quality", "101"], {}],
      [/use some of png,jpeg/, 2, ["--formats", "gif"], {}],
    ];
    await Promise.all(
      cases.map(async ([message, expectedStatus, args, environment], i) => {
        // Different options, so that they do not wait for each other's lock.
        const own = ["--to", "s3://avatars/wrong", "--soft-edge", String(i + 10), ...args];
        const { status, err } = await publish(own, environment);
        assert.match(err, message);
        assert.equal(status, expectedStatus, err);
      }),
    );
    assert.deepEqual(await s3Store("wrong").list("avatars/"), []);
  });

  test("killed between two parts of a large object, it goes on with the next part", async () => {
    const isPart = (n: number) => (step: string) =>
      step.startsWith("before PUT") && step.includes(`partNumber=${n}`);
    const large = ["--root", largeRoot];
    const whole = await publish(["--to", "s3://avatars/parts-whole", ...large]);
    const killAt = whole.steps.findIndex(isPart(3)) + 1;
    assert.ok(killAt > 0);
    const args = ["--to", "s3://avatars/parts", ...large];
    const killed = await publish(args, { KILL_AT: String(killAt) });
    assert.equal(killed.signal, "SIGKILL", killed.err);
    const finished = await publish(args);
    assert.equal(finished.status, 0, finished.err);
    const parts = [1, 2, 3].map((n) => finished.steps.filter(isPart(n)).length);
    assert.deepEqual(parts, [0, 0, 1]);
    assert.match(finished.err, /preparing ada: 22 of 22 \(22 from before\), done/);
    await assertSame(s3Store("parts"), s3Store("parts-whole"));

    // An upload that the store has forgotten begins anew.
    const elsewhere = ["--to", "s3://avatars/parts-forgotten", ...large];
    await publish(elsewhere, { KILL_AT: String(killAt) });
    const [work] = await readdir(join(largeRoot, ".publish"));
    const uploads = join(largeRoot, ".publish", work!, "uploads");
    const [journal] = await readdir(uploads);
    const state = JSON.parse(await readFile(join(uploads, journal!), "utf8"));
    assert.deepEqual(Object.keys(state.parts), ["1", "2"]);
    await writeFile(join(uploads, journal!), JSON.stringify({ ...state, uploadId: "gone" }));
    assert.equal((await publish(elsewhere)).status, 0);
    await assertSame(s3Store("parts-forgotten"), s3Store("parts-whole"));
  });

  for (const kind of ["s3", "folder"] as const) {
    test(`killed at any point (${kind}): the old version serves; run again, it finishes`, async () => {
      const random = seeded(SEED);
      const oldVersion = await versionIn(old);
      const target = async (name: string) => {
        if (kind === "s3") return { to: `s3://avatars/${name}`, store: s3Store(name) };
        const to = await folder();
        return { to, store: createFolderStore(to) };
      };
      const { to: rehearsal } = await target("rehearsal");
      const { steps, status, err } = await publish(["--to", rehearsal]);
      assert.equal(status, 0, err);
      // The last write that anyone notices is the pointer's.
      const last = steps.findLastIndex((step) => /^before .*avatar\.json/.test(step)) + 1;
      assert.ok(last > 20, `${last} steps`);
      for (let i = 0; i < KILLS[kind]; i++) {
        const killAt = 1 + Math.floor(((i + random()) / KILLS[kind]) * last);
        const where = `seed ${SEED}, step ${killAt} of ${last}: ${steps[killAt - 1]}`;
        const { to, store } = await target(`killed-${i}`);
        await copyInto(store, old);
        const killed = await publish(["--to", to], { KILL_AT: String(killAt) });
        assert.equal(killed.signal, "SIGKILL", `${where}\n${killed.err}`);
        assert.equal(await readAll(store), oldVersion, where);
        await assertHolds(store, old);
        const finished = await publish(["--to", to]);
        assert.equal(finished.status, 0, `${where}\n${finished.err}`);
        assert.equal(await readAll(store), await versionIn(expected), where);
        await assertHolds(store, expected);
      }
    });
  }

  test("two at the same time: the second is told of the first", async () => {
    const to = await folder();
    const runs = [
      publish(["--to", to, "--quality", "31"]),
      publish(["--to", to, "--quality", "31"]),
    ];
    const results = await Promise.all(runs);
    const failed = results.filter(({ status }) => status !== 0);
    assert.ok(failed.length <= 1);
    for (const { err } of failed) assert.match(err, /is publishing ada already/);
  });

  test("whom it belongs to: as said, as imported, or as it was", async () => {
    const target = await folder();
    const tenantAfter = async (...args: string[]) => {
      const run = await publish(["--to", target, ...args]);
      assert.equal(run.status, 0, run.err);
      return (await readAvatar(createFolderStore(target), "ada")).tenant;
    };
    assert.equal(await tenantAfter(), null);
    assert.equal(await tenantAfter("--tenant", "acme"), "acme");
    assert.equal(await tenantAfter(), "acme", "nobody said that it is everybody's");
    assert.equal(await tenantAfter("--tenant", "globex"), "globex");
    assert.equal(await tenantAfter("--no-tenant"), null);
    assert.match((await publish(["--to", target, "--tenant", "A!"])).err, /not a tenant's id/);
  });
});

/** 17 MiB: three parts. Only its bytes matter here. */
function largeModel(): Uint8Array {
  const random = seeded(7);
  const bytes = new Uint8Array(17 * 1024 * 1024);
  const words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = random() * 2 ** 32;
  bytes.set(buildTinyUnet());
  return bytes;
}

/** mulberry32: 0 to 1. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
