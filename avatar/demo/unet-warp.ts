import type { GraphBuilder, Value } from "../onnx/graph-builder.ts";
import * as op from "../onnx/operators.ts";
import { MOUTH } from "./character-mouth.ts";
import { type Block, columns, Field, rows } from "./unet-field.ts";
import type { MouthPlace } from "./unet-locate.ts";
import type { MouthShape } from "./unet-shape.ts";

/** Side of the crop that the model sees. */
export const CROP_SIDE = 320;
/** Crop pixels per pixel of the background frame: 328 for a rectangle of 220. */
export const CROP_SCALE = 328 / 220;

/** The part of the crop that moves; all else is the reference. Inside the mask. */
export const MOVING: Block = { left: 8, top: 48, right: 312, bottom: 304 };
/** Pixels over which the motion fades towards the border of that part. */
const FADE = 26;

/** The warped picture and the gap between the lips. */
export interface OpenedMouth {
  /** float32 [n,3,h,w] of MOVING */
  readonly picture: Field;
  /** Along the mouth's axes from its centre, less what the corners sank, in frame pixels, [n,1,h,w]. */
  readonly across: Field;
  readonly down: Field;
  /** The edges of the upper and the lower lip, as `down`. */
  readonly upperEdge: Field;
  readonly lowerEdge: Field;
}

/**
 * Pulls the reference's own lips, chin and cheeks into the shape. Every pixel
 * looks up where it came from, so light and colour stay the face's own, and a
 * shape of zeros changes nothing.
 * @param reference float32 [n,3,320,320]
 */
export function openMouth(
  graph: GraphBuilder,
  reference: Value,
  place: MouthPlace,
  shape: MouthShape,
): OpenedMouth {
  const x = columns(graph, MOVING)
    .sub(place.x)
    .mul(1 / CROP_SCALE);
  const y = rows(graph, MOVING)
    .sub(place.y)
    .mul(1 / CROP_SCALE);
  const across = x.mul(place.cos).add(y.mul(place.sin));
  const straight = y.mul(place.cos).sub(x.mul(place.sin));

  // Sideways: lips and what is near them come together for "o", part for "e".
  const reach = shape.drop.mul(0.6).add(36);
  const spot = across
    .mul(1 / 56)
    .square()
    .add(straight.sub(shape.drop.mul(0.5)).div(reach).square())
    .decay();
  const du = across.mul(spot).mul(shape.squeeze);
  const t = across.add(du).mul(1 / MOUTH.halfWidth);

  // A smile does not say "o": its corners sink. All below is on top of that.
  const tt = t.square();
  const settled = tt.mul(spot).mul(shape.settle);
  const down = straight.sub(settled);

  // Where lips part: outside the gap both edges are the seam.
  const seam = tt.mul(MOUTH.seam[2]).add(MOUTH.seam[1]).mul(tt).add(MOUTH.seam[0]);
  const lens = tt.div(shape.gapWidth.square()).from(1).atLeast(0);
  const profile = lens.mix(lens.add(0.002).sqrt().sub(Math.sqrt(0.002)), shape.roundness);
  const upperEdge = seam.sub(shape.rise.mul(profile));
  const lowerEdge = seam.add(shape.drop.mul(profile));

  // Downwards: the lower lip with its edge, the chin by half, the neck not at all.
  const below = down.sub(lowerEdge).atLeast(0);
  const atLip = below
    .mul(1 / 20)
    .square()
    .decay();
  const chin = across
    .mul(1 / 78)
    .square()
    .decay()
    .mul(down.smoothRamp(126, 78))
    .mul(0.48);
  const isBelow = down.sub(seam).mul(2).clip();
  const lowered = shape.drop.mul(chin.mix(profile, atLip)).mul(isBelow);
  const above = upperEdge.sub(down).atLeast(0);
  const raised = shape.rise
    .mul(profile)
    .mul(
      above
        .mul(1 / 15)
        .square()
        .decay(),
    )
    .mul(isBelow.from(1));
  const moved = raised.sub(lowered);

  // Thickness of the lips about the seam.
  const fromSeam = down.add(moved).sub(seam);
  const dv = moved.add(
    fromSeam
      .mul(
        fromSeam
          .mul(1 / 15)
          .square()
          .decay(),
      )
      .mul(shape.press)
      .mul(lens.sqrt()),
  );
  const picture = sample(graph, reference, place, du, dv.sub(settled));
  return { picture, across, down, upperEdge, lowerEdge };
}

/** The reference at each pixel plus (du, dv), which are along the mouth's axes. */
function sample(
  graph: GraphBuilder,
  reference: Value,
  { sin, cos }: MouthPlace,
  du: Field,
  dv: Field,
): Field {
  const toGrid = 2 / (CROP_SIDE - 1);
  const fade = columns(graph, MOVING, fadeIn(MOVING.left, MOVING.right)).mul(
    rows(graph, MOVING, fadeIn(MOVING.top, MOVING.bottom)),
  );
  const step = fade.mul(CROP_SCALE * toGrid);
  const gridX = du
    .mul(cos)
    .sub(dv.mul(sin))
    .mul(step)
    .add(columns(graph, MOVING, toUnit));
  const gridY = du
    .mul(sin)
    .add(dv.mul(cos))
    .mul(step)
    .add(rows(graph, MOVING, toUnit));
  const grid = op.transpose(graph, op.concat(graph, [gridX.value, gridY.value]), [0, 2, 3, 1]);
  const value = graph.node("GridSample", [reference, grid], {
    mode: "bilinear",
    padding_mode: "border",
    align_corners: 1,
  });
  return new Field(graph, value);
}

/** GridSample's coordinates: -1 is the first pixel's centre, 1 the last one's. */
function toUnit(pixel: number): number {
  return (2 * pixel) / (CROP_SIDE - 1) - 1;
}

function fadeIn(from: number, to: number): (pixel: number) => number {
  return (pixel) => {
    const t = Math.min(1, Math.min(pixel - from, to - 1 - pixel) / FADE);
    return t * t * (3 - 2 * t);
  };
}
