import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { randomTrack } from "../../../test/support/h264-streams.ts";
import { PartCoder } from "./part-coder.ts";
import { planesOf } from "./picture.ts";

test("D comes back from its slices, sample by sample", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    const { track, shown, what } = await randomTrack(random, 2 + random.below(8));
    let position = 0;
    for (const { map, frames } of track.groups) {
      const decoder = new PartCoder(map, "live");
      for (const [n, { picture }] of frames.entries()) {
        const where = `position ${position} of seed ${seed}: ${what}`;
        assert.ok(decoder.decode(picture.idle, n === 0), where);
        const decoded = planesOf(decoder.coder.reconstruction());
        for (const [plane, { data, width, height }] of planesOf(shown[position]!).entries()) {
          const side = plane === 0 ? 16 : 8;
          const part = decoded[plane]!;
          const left = map.live.x * side;
          const top = map.live.y * side;
          const count = Math.min(part.width, width - left);
          for (let y = 0; y < part.height && top + y < height; y++) {
            const from = (top + y) * width + left;
            const expected = data.subarray(from, from + count);
            const found = part.data.subarray(y * part.width, y * part.width + count);
            assert.equal(Buffer.compare(expected, found), 0, `plane ${plane}, row ${y}, ${where}`);
          }
        }
        position++;
      }
    }
  }
});

test("damaged slices are refused or decoded to something, and nothing else happens", async () => {
  const random = new SeededRandom(77);
  const { track } = await randomTrack(random, 6, "band");
  let refused = 0;
  for (let n = 0; n < 3000; n++) {
    const { map, frames } = random.pick(track.groups);
    const decoder = new PartCoder(map, "live");
    const index = random.below(frames.length);
    const slices = frames[index]!.picture.idle.map((slice) => {
      const copy = slice.slice(0, random.below(4) === 0 ? random.below(slice.length) : undefined);
      for (let i = random.below(4); i >= 0 && copy.length > 0; i--) {
        copy[random.below(copy.length)] = random.below(256);
      }
      return copy;
    });
    if (!decoder.decode(slices, index === 0)) refused++;
  }
  assert.ok(refused > 2000, `${refused} refused`);
});
