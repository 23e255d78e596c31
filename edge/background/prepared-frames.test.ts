import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import { randomFrame, seededRandom } from "../../test/support/composite.ts";
import { MemoryStore, storeAvatar } from "../../test/support/packed-avatar.ts";
import { type Delivery, prepareFrame } from "../compositor/delivery.ts";
import { joinBytes } from "../compositor/join-bytes.ts";
import { Splicer } from "../compositor/splicer.ts";
import { ByteBudget } from "./byte-budget.ts";
import { FramePacks } from "./frame-packs.ts";
import { createFramePreparer, type FramePreparer } from "./frame-preparer.ts";
import { IdleFrames } from "./idle-frames.ts";
import { OwnMouths } from "./own-mouths.ts";
import { PlainFrames } from "./plain-frames.ts";
import { PreparedFrames } from "./prepared-frames.ts";

const WIDTH = 64;
const HEIGHT = 48;
const FRAMES = 12;
const JPEG = { quality: 80, subsampling: "4:2:0" } as const;
const codecs = createImageCodecs();

const regions = Array.from({ length: FRAMES }, (_, n) => ({
  x: 10 + n,
  y: 8,
  width: 20,
  height: 16,
}));

const images: RgbaImage[] = regions.map((_, n) => {
  const size = { width: WIDTH, height: HEIGHT, channels: 4 as const };
  const { data } = randomFrame(seededRandom(n), size, "smooth");
  for (let at = 3; at < data.length; at += 4) data[at] = 255;
  return { width: WIDTH, height: HEIGHT, data: new Uint8ClampedArray(data) };
});

const entries = (delivery: Delivery) =>
  images.map((image, n) => prepareFrame(image, regions[n]!, delivery));

function setUp(
  kind: "packed" | "plain",
  files: readonly Uint8Array[],
  settings: { maxBytes?: number; preparer?: FramePreparer } = {},
) {
  const store = new MemoryStore();
  const avatar = storeAvatar(store, {
    id: "ada",
    width: WIDTH,
    height: HEIGHT,
    regions,
    packs:
      kind === "plain"
        ? {}
        : {
            png: entries({ format: "png", softEdge: 0 }),
            jpeg: entries({ format: "jpeg", softEdge: 0, ...JPEG }),
          },
    ...(kind === "plain" && { files }),
  });
  const packs = new FramePacks(store);
  const plain = new PlainFrames(store);
  const preparer = settings.preparer ?? createFramePreparer(codecs);
  const maxBytes = settings.maxBytes ?? 1e9;
  const frames = new PreparedFrames({ plain, packs, preparer, jpeg: JPEG, maxBytes });
  return { store, avatar, packs, preparer, frames };
}

const encodeFiles = () => Promise.all(images.map((image) => codecs.encodePng(image)));
const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("a frame from a pack and one prepared on first use have the same bytes", async () => {
  const files = await encodeFiles();
  const packed = setUp("packed", files);
  const plain = setUp("plain", files);
  for (const format of ["png", "jpeg"] as const) {
    for (let n = 0; n < FRAMES; n++) {
      const a = await packed.frames.get(packed.avatar, n, format);
      const b = await plain.frames.get(plain.avatar, n, format);
      assert.deepEqual(a.entry, b.entry);
    }
  }
});

test("a frame is prepared once, however many ask, and counted", async () => {
  let prepared = 0;
  const inner = createFramePreparer(codecs);
  const preparer: FramePreparer = {
    ...inner,
    prepare: (...order) => {
      prepared++;
      return inner.prepare(...order);
    },
  };
  const { frames, avatar } = setUp("plain", await encodeFiles(), { preparer });
  const all = await Promise.all(Array.from({ length: 9 }, () => frames.get(avatar, 3, "jpeg")));
  assert.equal(new Set(all).size, 1);
  assert.equal(prepared, 1);
  await frames.get(avatar, 3, "jpeg");
  const { hits, misses, frames: held } = frames.stats;
  assert.deepEqual({ hits, misses, held }, { hits: 1, misses: 9, held: 1 });
});

test("neighbours in a pack are read together, and the same ones wherever reading begins", async () => {
  const { frames, avatar, store } = setUp("packed", []);
  frames.readAhead(avatar, [2, 3, 4, 5, 6, 7], "png");
  await settle();
  const before = store.reads.length;
  assert.equal(before, 2, "the index, and one span");
  for (let n = 0; n < FRAMES; n++) await frames.get(avatar, n, "png");
  assert.equal(store.reads.length, before);
  assert.equal(frames.stats.hits, FRAMES);
  const other = setUp("packed", []);
  await other.frames.get(other.avatar, FRAMES - 1, "png");
  assert.deepEqual(other.store.reads.at(-1), store.reads.at(-1));
});

test("nothing is read ahead that there is no room for; what is needed is", async () => {
  const { avatar, packs, preparer, store } = setUp("packed", []);
  const plain = new PlainFrames(store);
  const ahead = new ByteBudget(100, () => 0, 1000);
  const frames = new PreparedFrames({ plain, packs, preparer, jpeg: JPEG, maxBytes: 1e9, ahead });
  frames.readAhead(avatar, [2, 3, 4], "png");
  await settle();
  assert.equal(store.reads.length, 1, "the index");
  await frames.get(avatar, 2, "png");
  assert.equal(store.reads.length, 2);
  assert.equal(ahead.room, 100, "all is given back");
});

test("the bound on bytes holds, least recently used out first", async () => {
  const sizes = entries({ format: "png", softEdge: 0 }).map((entry) => entry.length - 64);
  const maxBytes = sizes[0]! + sizes[1]! + sizes[2]! + 10;
  const { frames, avatar } = setUp("plain", await encodeFiles(), { maxBytes });
  for (const n of [0, 1, 2, 0, 3]) {
    await frames.get(avatar, n, "png");
    assert.ok(frames.stats.bytes <= maxBytes);
  }
  assert.ok(frames.stats.evictions >= 1);
  const { misses } = frames.stats;
  await frames.get(avatar, 0, "png");
  assert.equal(frames.stats.misses, misses, "the one used last is still there");
  await frames.get(avatar, 1, "png");
  assert.equal(frames.stats.misses, misses + 1, "the one used first is not");
});

test("a frame that others push out while it is prepared is still given to who waits", async () => {
  const inner = createFramePreparer(codecs);
  const gate = Promise.withResolvers<void>();
  const preparer: FramePreparer = {
    ...inner,
    async prepare(file, shape, delivery) {
      if (shape.region.x === regions[0]!.x) await gate.promise;
      return inner.prepare(file, shape, delivery);
    },
  };
  const [one] = entries({ format: "jpeg", softEdge: 0, ...JPEG });
  const settings = { preparer, maxBytes: Math.round(one!.length * 1.5) };
  const { frames, avatar } = setUp("plain", await encodeFiles(), settings);
  const waiting = frames.get(avatar, 0, "jpeg");
  for (let n = 1; n < FRAMES; n++) await frames.get(avatar, n, "jpeg");
  gate.resolve();
  assert.equal((await waiting).entry.region.x, regions[0]!.x);
});

test("a span that cannot be read fails those who need it, and nobody else", async () => {
  const { frames, avatar, store, packs } = setUp("packed", []);
  await packs.open(avatar, "png");
  const pack = store.objects.get("avatars/ada/1/png.pack")!;
  store.objects.delete("avatars/ada/1/png.pack");
  frames.readAhead(avatar, [1, 2, 3, 4], "png");
  await Promise.all([
    assert.rejects(frames.get(avatar, 2, "png"), /it is missing/),
    assert.rejects(frames.get(avatar, 3, "png"), /it is missing/),
  ]);
  await settle();
  store.objects.set("avatars/ada/1/png.pack", pack);
  assert.equal((await frames.get(avatar, 4, "png")).entry.width, WIDTH);
});

test("a damaged frame takes none of those that are read with it along", async () => {
  const { frames, avatar, store } = setUp("packed", []);
  const pack = store.objects.get("avatars/ada/1/png.pack")!;
  pack[pack.length - 1]! ^= 1;
  for (let n = 0; n < FRAMES - 1; n++) {
    assert.equal((await frames.get(avatar, n, "png")).entry.region.x, regions[n]!.x);
  }
  await assert.rejects(frames.get(avatar, FRAMES - 1, "png"), /entry 11 has changed/);
});

test("a failure is told to everyone who waits, and tried again for the next", async () => {
  const { frames, avatar, store } = setUp("packed", []);
  const pack = store.objects.get("avatars/ada/1/png.pack")!;
  const last = pack.length - 1;
  pack[last]! ^= 1;
  const refused = (error: unknown) =>
    error instanceof AvatarError && /entry 11 has changed/.test(error.message);
  await Promise.all([1, 2, 3].map(() => assert.rejects(frames.get(avatar, 11, "png"), refused)));
  pack[last]! ^= 1;
  assert.equal((await frames.get(avatar, 11, "png")).entry.width, WIDTH);
});

test("a frame of another avatar in a sound pack is refused", async () => {
  const { frames, avatar } = setUp("packed", []);
  const [first, ...others] = avatar.manifest.rectangles;
  const moved = { ...avatar, manifest: { ...avatar.manifest, rectangles: [...others, first!] } };
  await assert.rejects(frames.get(moved, 0, "png"), /is not that of its manifest/);
});

test("an idle frame is the prepared one with its own mouth", async () => {
  const files = await encodeFiles();
  const { frames: prepared, avatar, store, packs, preparer } = setUp("plain", files);
  const splicer = new Splicer();
  const idle = new IdleFrames({
    mouths: new OwnMouths({ plain: new PlainFrames(store), packs, preparer }),
    prepared,
    splicer,
    maxBytes: 1e8,
  });
  const png = await codecs.decode(await idle.get(avatar, 5, "png"));
  assert.deepEqual(png.data, images[5]!.data);
  const shape = { width: WIDTH, height: HEIGHT, region: regions[5]! };
  const mouth = await preparer.cutMouth(files[5]!, shape);
  const frame = await prepared.get(avatar, 5, "jpeg");
  assert.deepEqual(await idle.get(avatar, 5, "jpeg"), joinBytes(splicer.splice(frame, mouth)));
});

test("a plain frame that is not the one that was published is read again, and then refused", async () => {
  const files = await encodeFiles();
  const { store, avatar, frames } = setUp("plain", files);
  const key = `${avatar.prefix}frames/000003.png`;
  // Sound in itself, and yet another frame.
  store.objects.set(key, new Uint8Array(files[4]!));
  await assert.rejects(frames.get(avatar, 3, "png"), /frame 3 of ada is not what was published/);
  assert.equal(store.reads.filter((read) => read.key === key).length, 2);
  store.objects.set(key, new Uint8Array(files[3]!));
  await frames.get(avatar, 3, "png");
  const digests = `${avatar.prefix}frames.sha256`;
  const fresh = setUp("plain", files);
  fresh.store.objects.set(digests, new Uint8Array(32 * files.length));
  await assert.rejects(
    fresh.frames.get(fresh.avatar, 0, "png"),
    /frames.sha256 of ada is not what/,
  );
  fresh.store.objects.delete(digests);
  await assert.rejects(fresh.frames.get(fresh.avatar, 0, "png"), /import or publish it again/);
});
