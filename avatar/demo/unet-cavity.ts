import type { GraphBuilder } from "../onnx/graph-builder.ts";
import { MOUTH } from "./character-mouth.ts";
import { type Block, colour, type Field } from "./unet-field.ts";
import type { MouthShape } from "./unet-shape.ts";
import { CROP_SCALE, MOVING, type OpenedMouth } from "./unet-warp.ts";

/** The part of the crop where a gap can be. */
export const INNER: Block = { left: 84, top: 84, right: 236, bottom: 190 };

/** Pixels of the crop over which an edge changes from one side to the other. */
const EDGE = 1.6;
/** Lower edge of the upper teeth, in frame pixels below the mouth's centre. */
const UPPER_TEETH = 9.2;
/** Width of a tooth. */
const TOOTH = 8.8;

/**
 * Paints what is seen between the lips: dark, tongue, lower and upper teeth.
 * @returns float32 [n,3,h,w] of INNER, over the warped picture
 */
export function paintCavity(graph: GraphBuilder, mouth: OpenedMouth, shape: MouthShape): Field {
  const part: Block = {
    left: INNER.left - MOVING.left,
    top: INNER.top - MOVING.top,
    right: INNER.right - MOVING.left,
    bottom: INNER.bottom - MOVING.top,
  };
  const u = mouth.across.block(part);
  const v = mouth.down.block(part);
  const fromUpper = v.sub(mouth.upperEdge.block(part));
  const fromLower = mouth.lowerEdge.block(part).sub(v);
  const gap = shape.drop.add(shape.rise);

  const uu = u.square();
  const floor = shape.drop.add(MOUTH.seam[0]);
  const depth = fromLower.div(gap.add(1)).clip();
  let paint = colour(graph, "#7a1f2b").mix(colour(graph, "#2a0710"), depth.smoothRamp(0, 0.75));

  // The tongue lies behind the lower lip and comes up with the voice's vowels.
  const height = shape.open.mul(11).sub(shape.round.mul(3)).add(3.5);
  const hump = uu.mul(1 / 27 ** 2).add(v.sub(floor).sub(1.5).div(height).square());
  const tongue = colour(graph, "#b8444f").mix(
    colour(graph, "#e57f80"),
    u
      .add(3)
      .mul(1 / 14)
      .square()
      .add(v.sub(floor).div(height).add(0.35).mul(1.6).square())
      .decay(),
  );
  paint = paint.mix(tongue, hump.ramp(1.04, 0.86));

  // Between two teeth: a faint line, and a dent in the edge.
  const between = u
    .mul((2 * Math.PI) / TOOTH)
    .cos()
    .mul(0.5)
    .add(0.5);
  const line = between.square().square().square().square();
  const shadow = fromUpper
    .mul(1 / 5)
    .clip()
    .mul(0.5)
    .add(0.5);

  // A narrow gap stays dark unless teeth are meant to be seen.
  const seen = shape.teeth.add(gap.mul(0.13).sub(0.4)).clip();
  const teethSeen = shape.round.mul(-0.75).add(1).mul(seen);

  const lowerTop = floor
    .sub(2.6)
    .mix(floor.mul(0).add(UPPER_TEETH + 0.5), shape.teeth)
    .add(uu.mul(0.0022))
    .add(line.mul(0.5));
  const lowerTeeth = colour(graph, "#eadfd8").mul(line.mul(-0.12).add(1));
  paint = paint.mix(
    lowerTeeth,
    edge(v.sub(lowerTop))
      .mul(uu.ramp(32 ** 2, 24 ** 2))
      .mul(teethSeen),
  );

  const upperEnd = uu.mul(-0.0052).add(UPPER_TEETH).sub(line.mul(0.9)).sub(shape.round.mul(6));
  const upperTeeth = colour(graph, "#fffaf4").mul(
    line.mul(-0.1).add(1).mul(uu.mul(-0.00022).add(1)),
  );
  paint = paint.mix(
    upperTeeth,
    edge(upperEnd.sub(v))
      .mul(uu.ramp(40 ** 2, 33 ** 2))
      .mul(teethSeen),
  );

  const sides = uu.mul(-1 / 60 ** 2).add(1);
  paint = paint.mul(shadow.mul(sides));
  const cover = edge(fromUpper).mul(edge(fromLower));
  return mouth.picture.block(part).mix(paint, cover);
}

/** 0 outside, 1 inside, soft over EDGE crop pixels; `distance` in frame pixels. */
function edge(distance: Field): Field {
  return distance.mul(CROP_SCALE / EDGE).clip();
}
