import assert from "node:assert/strict";
import { before, test } from "node:test";
import { boxAt, boxesOf } from "../../test/support/boxes.ts";
import { each, flashFilm, MemorySink, pieces } from "../../test/support/films.ts";
import { writeMp4File } from "./mp4-file.ts";
import type { Mp4Input, Mp4Picture } from "./mp4-input.ts";

let film: Awaited<ReturnType<typeof flashFilm>>;
before(async () => {
  film = await flashFilm({ frames: 60, preRoll: 5, flashes: [10] });
});

function input(): Mp4Input & { readonly isClosed: boolean } {
  const state = { isClosed: false };
  async function* pictures(): AsyncGenerator<Mp4Picture> {
    try {
      yield* film.pictures;
    } finally {
      state.isClosed = true;
    }
  }
  const { width, height, speech } = film;
  return {
    ...{ width, height, pictures: pictures(), speech: each(pieces(speech, 640)) },
    get isClosed() {
      return state.isClosed;
    },
  };
}

/** Duration of `mvhd` in its own units, and those units (14496-12, 8.2.2). */
function movieSeconds(bytes: Uint8Array): number {
  const header = boxAt(bytes, "moov/mvhd")!;
  const numbers = new DataView(header.buffer, header.byteOffset);
  return numbers.getUint32(16) / numbers.getUint32(12);
}

test("a file with its index behind, as long as what is shown", async () => {
  const sink = new MemorySink();
  await writeMp4File(input(), sink, AbortSignal.timeout(10_000));
  const types = boxesOf(sink.bytes).map(({ type }) => type);
  assert.deepEqual(types, ["ftyp", "mdat", "moov"]);
  assert.equal(movieSeconds(sink.bytes), 2.4);
});

test("speech that goes on behind the pictures is heard to its end", async () => {
  const sink = new MemorySink();
  const speech = each(pieces(new Int16Array(3 * 16_000), 5_000));
  await writeMp4File({ ...input(), speech }, sink, AbortSignal.timeout(10_000));
  assert.equal(movieSeconds(sink.bytes), 3);
});

test("a picture that is missing is covered by the one before", async () => {
  const sink = new MemorySink();
  const pictures = each(film.pictures.filter((_, n) => n < 40 || n >= 50));
  await writeMp4File({ ...input(), pictures }, sink, AbortSignal.timeout(10_000));
  assert.equal(movieSeconds(sink.bytes), 2.4);
});

test("it is written as it comes, not held", async () => {
  const sink = new MemorySink();
  let written = 0;
  async function* pictures(): AsyncGenerator<Mp4Picture> {
    yield* film.pictures.slice(0, -1);
    written = sink.bytes.length;
    yield film.pictures.at(-1)!;
  }
  await writeMp4File({ ...input(), pictures: pictures() }, sink, AbortSignal.timeout(10_000));
  assert.ok(written > sink.bytes.length / 2, `${written} of ${sink.bytes.length}`);
});

test("a full disk ends it, and lets the pictures go", async () => {
  const source = input();
  let bytes = 0;
  const sink = {
    write: async (data: Uint8Array) => {
      bytes += data.length;
      if (bytes > 2_000) throw new Error("no space left");
    },
  };
  await assert.rejects(writeMp4File(source, sink, AbortSignal.timeout(10_000)), /no space left/);
  assert.ok(source.isClosed);
});

test("a signal ends it, and lets the pictures go", async () => {
  const source = input();
  const ended = new AbortController();
  const sink = { write: async () => ended.abort(new Error("enough")) };
  await assert.rejects(writeMp4File(source, sink, ended.signal), /enough/);
  assert.ok(source.isClosed);
});
