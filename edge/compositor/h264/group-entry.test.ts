import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { randomTrack } from "../../../test/support/h264-streams.ts";
import { PreparedFrameError } from "../prepared-frame-error.ts";
import { decodeGroupEntry, encodeGroupEntry, errorOf } from "./group-entry.ts";
import type { Group } from "./track.ts";

const placesOf = ({ frames }: Group) => frames.map(({ frame, region }) => ({ frame, region }));

for (const mode of ["band", "box"] as const) {
  test(`a group in ${mode} mode comes back from its entry as it was`, async () => {
    const { track } = await randomTrack(new SeededRandom(7), 9, mode);
    for (const group of track.groups) {
      const bytes = encodeGroupEntry(group, 1.5);
      const read = decodeGroupEntry(bytes, group.map, placesOf(group));
      assert.equal(errorOf(bytes), 1.5);
      assert.equal(read.length, group.length);
      assert.deepEqual(read.frames, group.frames);
    }
  });
}

test("an entry that is cut, longer, of another group or made up is refused", async () => {
  const random = new SeededRandom(3);
  const { track } = await randomTrack(random, 6, "band");
  const [group] = track.groups;
  assert.ok(group);
  const places = placesOf(group);
  const bytes = encodeGroupEntry(group, 1.5);
  const refuse = (wrong: Uint8Array<ArrayBuffer>, count = places.length) =>
    assert.throws(
      () => decodeGroupEntry(wrong, group.map, places.slice(0, count)),
      PreparedFrameError,
    );
  for (let end = 0; end < bytes.length; end += 1 + random.below(40)) refuse(bytes.slice(0, end));
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  refuse(longer);
  refuse(bytes, places.length - 1);
  for (let n = 0; n < 500; n++) {
    const wrong = bytes.slice();
    for (let i = 0; i < 3; i++) wrong[random.below(60)] = random.below(256);
    try {
      decodeGroupEntry(wrong, group.map, places);
    } catch (error) {
      assert.ok(error instanceof PreparedFrameError, String(error));
    }
  }
});
