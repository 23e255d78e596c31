import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { library } from "../gen/opus.js";
import { CodecError } from "./codec-error.ts";
import { CodecInstance } from "./codec-instance.ts";
import { SharedLibrary } from "./shared-library.ts";

const DESTROY = "oc_destroy_encoder";
const FRAME = 320;

function openEncoder(shared: SharedLibrary) {
  const codec = new CodecInstance(shared, DESTROY);
  const [input, output] = [codec.allocate(2 * FRAME), codec.allocate(1_276)];
  codec.create("oc_create_encoder", 16_000, 1, 2_048, output);
  const encode = () => codec.call("oc_encode", input, FRAME, output, 1_276);
  return { codec, encode };
}

function fails(code: string, run: () => unknown) {
  assert.throws(run, (error) => error instanceof CodecError && error.code === code);
}

test("an error of the library is one of ours, and it goes on", () => {
  const { codec, encode } = openEncoder(new SharedLibrary(library));
  const opusBadArgument = () => codec.call("oc_encoder_ctl", 4_010, 11);
  fails("library_failed", opusBadArgument);
  assert.ok(encode() > 0);
});

test("after a trap the codec is of no use, and whoever comes next gets a sound library", () => {
  const shared = new SharedLibrary(library);
  const { codec, encode } = openEncoder(shared);
  const other = openEncoder(shared);
  const before = shared.get();
  // It reads beyond its memory.
  fails("library_failed", () => codec.call("oc_encode", -16, FRAME, -16, 1_276));
  fails("freed", encode);
  codec.free();
  assert.notEqual(shared.get(), before);
  assert.ok(openEncoder(shared).encode() > 0);
  // Those beside it are left what they had.
  assert.ok(other.encode() > 0);
});

test("no library takes more memory than it may", () => {
  const codec = new CodecInstance(new SharedLibrary(library), DESTROY);
  fails("library_failed", () => {
    for (let n = 0; n < 65; n++) codec.allocate(1024 * 1024);
  });
});

test("a full library is replaced, once", () => {
  const shared = new SharedLibrary(library);
  const before = shared.get();
  const all: CodecInstance[] = [];
  while (shared.get() === before) {
    try {
      all.push(openEncoder(shared).codec);
    } catch (error) {
      assert.ok(error instanceof CodecError);
    }
    assert.ok(all.length < 5_000);
  }
  openEncoder(shared).codec.free();
  for (const codec of all) codec.free();
});

test("codecs that nobody freed are freed when they are collected", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const shared = new SharedLibrary(library);
  const before = shared.get();
  // Twice what the library has memory for.
  for (let n = 0; n < 40; n++) {
    for (let each = 0; each < 100; each++) openEncoder(shared);
    collect();
    await setImmediate();
  }
  assert.equal(shared.get(), before);
});
