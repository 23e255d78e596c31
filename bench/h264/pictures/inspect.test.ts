import assert from "node:assert/strict";
import { test } from "node:test";
import type { Rectangle } from "../../../avatar/rectangle.ts";
import { encodeTrack } from "../../../edge/compositor/h264/encode-track.ts";
import { openSession } from "../../../edge/compositor/h264/live-session.ts";
import type { SliceMode } from "../../../edge/compositor/h264/slice-map.ts";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { randomPicture } from "../../../test/support/h264-streams.ts";
import { bytesOf, footprintOf, Inspector } from "./inspect.ts";

const SIZE = { width: 176, height: 144 };
const FRAMES = 8;
const REGION = { x: 50, y: 40, width: 60, height: 50 };

for (const mode of ["band", "box"] as const satisfies readonly SliceMode[]) {
  test(`${mode}: nothing beside D reads D, and D reads nothing else`, async () => {
    const random = new SeededRandom(4);
    const track = await encodeTrack(
      {
        ...SIZE,
        order: Array.from({ length: FRAMES }, (_, n) => n),
        regionOf: () => REGION,
        // Moves diagonally, so that vectors would lead into D from above and beside it.
        read: async (n) => randomPicture(random, SIZE.width, SIZE.height, "waves", 2 * n),
      },
      { framesPerSecond: 25, mode, groupFrames: FRAMES },
    );
    const { map } = track.groups[0]!;
    const d = toSamples(map.live);
    const session = openSession(track);
    const inspector = new Inspector(map);
    let [beside, inside] = [0, 0];
    for (let n = 0; n < FRAMES; n++) {
      const mouth = new Uint8Array(REGION.width * REGION.height * 3).map(
        (_, i) => 128 + 90 * Math.sin(((Math.floor(i / 3) % REGION.width) + 2.3 * n) / 8),
      );
      const unit = session.nextFrame({ mouth });
      const macroblocks = inspector.read(unit);
      assert.equal(macroblocks.length, map.columns * map.rows);
      const { fixed, live, parameterSets } = bytesOf(unit, map);
      const all = unit.parts.reduce((sum, { length }) => sum + length, 0);
      assert.equal(fixed + live + parameterSets, all);
      for (const partition of macroblocks.flatMap(({ partitions }) => partitions)) {
        const read = footprintOf(partition);
        if (isWithin(partition, d)) {
          inside++;
          const clipped = clip(read, map.live.x === 0);
          assert.ok(isWithin(clipped, d), `D reads ${JSON.stringify(read)}`);
        } else {
          beside++;
          assert.ok(isApart(read, d), `${JSON.stringify(read)} is read beside D`);
        }
      }
    }
    assert.ok(beside > 20 && inside > 5, `there are vectors: ${beside} beside D, ${inside} in it`);
  });
}

function toSamples({ x, y, width, height }: Rectangle): Rectangle {
  return { x: x * 16, y: y * 16, width: width * 16, height: height * 16 };
}

/** What lies beyond the picture's edge repeats the edge, if D has it. */
function clip(read: Rectangle, isAtEdge: boolean): Rectangle {
  if (!isAtEdge) return read;
  const x = Math.max(0, Math.min(SIZE.width - 1, read.x));
  return { ...read, x, width: Math.max(1, Math.min(SIZE.width, read.x + read.width) - x) };
}

function isWithin(a: Rectangle, b: Rectangle): boolean {
  return (
    a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height
  );
}

function isApart(a: Rectangle, b: Rectangle): boolean {
  return (
    a.x >= b.x + b.width || a.x + a.width <= b.x || a.y >= b.y + b.height || a.y + a.height <= b.y
  );
}
