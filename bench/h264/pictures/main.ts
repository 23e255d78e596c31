// The pictures of docs/h264-splice.md, of real streams of the demo avatar:
// `npm run docs:pictures`. Needs ffmpeg, which decodes them.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RgbImage } from "../../../avatar/image/types.ts";
import type { Rectangle } from "../../../avatar/rectangle.ts";
import { macroblockSize } from "../../../edge/compositor/h264/parameter-sets.ts";
import type { Picture } from "../../../edge/compositor/h264/picture.ts";
import { lineChart, type Point } from "../../line-chart.ts";
import { borderSteps } from "./border.ts";
import { draw, grid, toPng } from "./canvas.ts";
import { type DemoScene, readDemoScene } from "./demo-scene.ts";
import { bytesOf, Inspector, type Macroblock } from "./inspect.ts";
import { playScene, type Session, uncoded } from "./sessions.ts";
import { codingShapes, footprintShapes, liveShapes, sliceShapes } from "./shapes.ts";
import { decode, difference, toRgb } from "./shown.ts";

const OUT = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
const SPEECH = { start: 20, frames: 40 };
const KEY_ASKED_AT = 40;
/** In the middle of a word, and not a key picture. */
const POSITION = 37;
const MIDDLE = { intraQp: 24, interQp: 30 };
const COARSE = { intraQp: 32, interQp: 38 };
const LONG = { frames: 150, groupFrames: 75 };
const SHORT = { frames: POSITION + 1, groupFrames: POSITION + 1 };
const CHART_FRAMES = 100;
const OVERVIEW_SCALE = 0.5;
const ZOOM = 3;
const DIFFERENCE_GAIN = 8;
const PALETTE = 128;

const scene = await readDemoScene(SPEECH.start, SPEECH.frames);
const folder = await mkdtemp(join(tmpdir(), "mouthpiece-pictures-"));
try {
  await mkdir(OUT, { recursive: true });
  const band = await playScene(scene, {
    mode: "band",
    ...MIDDLE,
    ...LONG,
    keyAt: [KEY_ASKED_AT],
  });
  const box = await playScene(scene, { mode: "box", ...MIDDLE, ...SHORT });
  await writeFile(join(OUT, "h264-bits.svg"), bitsChart(band));
  await drawSliceMaps(band, box);
  await drawCoding(band);
  await drawFootprints(band);
  const coarse = {
    band: await playScene(scene, { mode: "band", ...COARSE, ...SHORT }),
    box: await playScene(scene, { mode: "box", ...COARSE, ...SHORT }),
  };
  await drawBorders(scene, { band, box }, coarse);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function save(name: string, image: RgbImage, colours: number | null): Promise<void> {
  const png = await toPng(image, colours);
  await writeFile(join(OUT, name), png);
  console.log(`${name}: ${image.width}x${image.height}, ${png.length} bytes`);
}

async function shownAt({ track, units }: Session, position: number): Promise<Picture> {
  const { width, height } = track.format;
  const pictures = await decode(units.slice(0, position + 1), width, height, folder);
  return pictures[position]!;
}

function whole({ width, height }: Picture): Rectangle {
  return { x: 0, y: 0, width, height };
}

/** Macroblocks of the pictures of the first group, up to a position. */
function codingOf({ track, units }: Session, count: number): Macroblock[][] {
  const inspector = new Inspector(track.groups[0]!.map);
  return units.slice(0, count).map((unit) => inspector.read(unit));
}

async function drawSliceMaps(...sessions: Session[]): Promise<void> {
  const cells: RgbImage[] = [];
  for (const session of sessions) {
    const picture = await shownAt(session, POSITION);
    const { map } = session.track.groups[0]!;
    const image = toRgb(picture, whole(picture));
    cells.push(await draw(image, OVERVIEW_SCALE, sliceShapes(map, OVERVIEW_SCALE)));
    console.log(
      `${session.track.mode}: ${map.slices.length} slices, D ${JSON.stringify(map.live)}`,
    );
  }
  await save("h264-slices.png", await grid([cells]), PALETTE);
}

/** The macroblocks around the head, of the same picture. */
async function drawCoding(session: Session): Promise<void> {
  const part = { x: 432, y: 128, width: 432, height: 400 };
  const scale = 2;
  const { map } = session.track.groups[0]!;
  const macroblocks = codingOf(session, POSITION + 1)[POSITION]!;
  const columns = macroblockSize(session.track.format).columns;
  const picture = await shownAt(session, POSITION);
  const shapes = [
    ...codingShapes(macroblocks, columns, part, scale),
    ...liveShapes(map, part, scale),
  ];
  await save("h264-macroblocks.png", await draw(toRgb(picture, part), scale, shapes), PALETTE);
}

/** Above D and below, in the picture whose vectors come nearest to it most often. */
async function drawFootprints(session: Session): Promise<void> {
  const { map, frames } = session.track.groups[0]!;
  const scale = 3;
  const { live, columns } = map;
  const all = codingOf(session, frames.length);
  const isNear = (n: number) => {
    const row = Math.floor(n / columns);
    return row === live.y - 1 || row === live.y + live.height;
  };
  const nearVectors = all.map(
    (macroblocks) =>
      macroblocks.filter(
        ({ partitions }, n) => isNear(n) && partitions.some(({ vx, vy }) => vx !== 0 || vy !== 0),
      ).length,
  );
  const position = nearVectors.indexOf(Math.max(...nearVectors));
  const picture = await shownAt(session, position - 1);
  const rows = [live.y * 16 - 64, (live.y + live.height) * 16 - 16].map((y) => ({
    x: 464,
    y,
    width: 352,
    height: 80,
  }));
  const cells: RgbImage[][] = [];
  for (const part of rows) {
    const shapes = [
      ...footprintShapes(all[position]!, map, part, scale),
      ...liveShapes(map, part, scale),
    ];
    cells.push([await draw(toRgb(picture, part), scale, shapes)]);
  }
  console.log(`footprints of picture ${position}: ${nearVectors[position]} beside D move`);
  for (const macroblocks of all) footprintShapes(macroblocks, map, rows[0]!, scale);
  await save("h264-footprints.png", await grid(cells), PALETTE);
}

function bitsChart({ track, units }: Session): string {
  const { map } = track.groups[0]!;
  const shown = units.slice(0, CHART_FRAMES);
  const kilobits = (bytes: number) => (bytes * 8) / 1000;
  const bytes = shown.map((unit) => bytesOf(unit, map));
  const keys = shown.filter(({ isKeyFrame }) => isKeyFrame).map(({ position }) => position);
  console.log(`key pictures at ${keys.join(", ")}`);
  return lineChart({
    title: "Bits of each frame: silence, speech, a key picture on demand",
    note: "Demo avatar 1280x720, 25 fps, band, I24/P30; groups of 75 frames. Logarithmic.",
    xLabel: "frame",
    yLabel: "kbit a frame",
    yScale: "log",
    bottom: 0.1,
    marks: [
      { x: SPEECH.start, label: "speech" },
      { x: KEY_ASKED_AT, label: "asked" },
      { x: SPEECH.start + SPEECH.frames, label: "silence" },
      ...keys.filter((key) => key > 0).map((x) => ({ x, label: "key" })),
    ],
    series: [
      {
        name: "static slices",
        points: bytes.map(({ fixed, parameterSets }, n) => [n, kilobits(fixed + parameterSets)]),
      },
      { name: "D, published", points: dPoints(false) },
      { name: "D, coded live", points: dPoints(true) },
    ],
  });

  function dPoints(isLive: boolean): Point[] {
    return bytes.map(({ live }, n) => [
      n,
      (shown[n]!.qp !== null) === isLive ? kilobits(live) : null,
    ]);
  }
}

interface Pair {
  readonly band: Session;
  readonly box: Session;
}

/** A corner of the mouth's box: what was to be coded, and what became of it in both modes. */
async function drawBorders(scene: DemoScene, middle: Pair, coarse: Pair): Promise<void> {
  const { live } = middle.box.track.groups[0]!.map;
  const box = { x: live.x * 16, y: live.y * 16, width: live.width * 16, height: live.height * 16 };
  const size = { width: 112, height: 88 };
  const part = { ...size, x: box.x - 40, y: box.y - 24 };
  const original = uncoded(scene, POSITION);
  const rows: RgbImage[][] = [];
  for (const [name, sessions] of Object.entries({ middle, coarse })) {
    const row = [await draw(toRgb(original, part), ZOOM)];
    const outline = liveShapes(middle.box.track.groups[0]!.map, part, ZOOM);
    const differences = [await draw(toRgb(original, part), ZOOM, outline)];
    for (const session of [sessions.band, sessions.box]) {
      const picture = await shownAt(session, POSITION);
      const steps = borderSteps(picture, original, box);
      console.log(name, session.track.mode, "steps across the sides and rows of the box:", steps);
      row.push(await draw(toRgb(picture, part), ZOOM));
      differences.push(await draw(difference(picture, original, part, DIFFERENCE_GAIN), ZOOM));
    }
    rows.push(row);
    if (name === "middle") rows.push(differences);
  }
  await save("h264-border.png", await grid(rows), null);
}
